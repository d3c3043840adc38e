"""The Python API: what the command line does, as functions."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nasaudit.api.finished import REPORT_FILE
from nasaudit.api.finished import Audit as Audit
from nasaudit.api.given import Wanted, chosen, settled
from nasaudit.arch.catalogue import choose
from nasaudit.data.arrays import Images
from nasaudit.errors import InputError, SpecError
from nasaudit.planning.requests import Analyses, Attacks, Epsilon, choose_all, make_study
from nasaudit.results.folder import GIVEN_FOLDER, StudyFolder
from nasaudit.results.schema import UNFINISHED, StudyResults
from nasaudit.running.options import DEFAULT_OPTIONS, RunOptions
from nasaudit.running.run import run
from nasaudit.spec.arch import IMAGE_SIDE, Protocol, Scale
from nasaudit.spec.data import DataSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.model import Normalisation
from nasaudit.spec.remedies.mitigation import MitigationSpec
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.store.files import write_atomically

if TYPE_CHECKING:
    from nasaudit.arch.network import Network
    from nasaudit.gate.compare import StudyComparison
    from nasaudit.gate.judge import Gate

SERIAL = "serial"  # the executor of this process
AUDITS = Path("audits")  # of studies whose folder nobody named
MITIGATION_ANALYSES = ("topology", "convergence")  # what costs next to nothing


def load_architecture(
    architecture: str | Genotype,
    scale: Scale = "mini",
    classes: int = 10,
    input_shape: tuple[int, int, int] | None = None,
    seed: int = 0,
) -> "Network":
    """A network with fresh weights: pixels in [0,1], [N, C, H, W] -> logits [N, classes].

    Args:
        architecture: a genotype, or what a command line takes: a name of the catalogue in any spelling, a genotype
            file, or a model (`timm:NAME`, `path/file.py:build`, ...; see `catalogue.choose`).
        scale: `mini`, `small` or `paper`.
        classes: number of classes.
        input_shape: (channels, height, width); None: (3, 28, 28) at `mini`, (3, 32, 32) elsewhere.
        seed: decides the weights.

    Raises:
        UnknownNameError: no such architecture; the message has the nearest names.
    """
    from nasaudit.arch.catalogue import resolve
    from nasaudit.arch.network import build

    shape = input_shape or (3, IMAGE_SIDE[scale], IMAGE_SIDE[scale])
    if isinstance(architecture, Genotype):
        choice = ArchChoice(name="custom", genotype=architecture)
    else:
        choice = choose(architecture)
    return build(resolve(choice, scale, classes, shape), seed)


def audit(
    *architectures: Wanted,
    data: str | DataSpec | Images = "mnist5k",
    scale: Scale = "mini",
    protocol: Protocol = "sound",
    attacks: Attacks = "survey",
    analyses: Analyses = "all",
    seeds: int | None = None,
    epsilon: Epsilon | None = None,
    out: str | Path | None = None,
    weights: str | Path | None = None,
    normalise: Normalisation | None = None,
    options: RunOptions = DEFAULT_OPTIONS,
) -> Audit:
    """Train, attack and analyse architectures on real images, and write the report.

    Args:
        architectures: names of the catalogue, paths of genotype files, or models (`timm:NAME`, `torchvision:NAME`, a
            NAS-Bench-201 text, `pkg.module:build`, `path/file.py:build`); trained torch modules, pixels in [0,1],
            [N, C, H, W] -> logits [N, classes], which are audited as they are, by this process alone; or a mapping
            from names of your own to any of these.
        data: `digits`, `mnist5k`, `cifar10`, `cifar100`, `imagenet32`, `folder:PATH` or `npz:PATH`; or images in
            memory: (x, y), ((x_train, y_train), (x_test, y_test)), a torch Dataset, or two of them for train and
            test. x is [N, C, H, W] or [N, H, W, C], uint8 or floats in [0,1].
        scale: `mini` (a CPU), `small` (a GPU, or patience) or `paper`.
        protocol: `sound`, or `paper` for the talk's own measurements.
        attacks: a family, the name of an attack, or a spec (`nasaudit.spec.attacks.PgdSpec(steps=40)`), or several;
            "survey" for one quick attack of each family, "all" for every attack of every family; () for none.
        analyses: the same of analyses; "all" for every one; () for none.
        seeds: how many training seeds; None: 3, or 1 with weights.
        epsilon: sizes of the change for attacks of evasion: 8/255, "8/255", or several, ascending; None: their own.
        out: folder of the results; None: one under `audits/`, named after the study. Modules and images in memory are
            kept in its subfolder `given`.
        weights: of the one architecture, trained elsewhere: safetensors, or a state dict that `torch.save` wrote. The
            model is audited as it is, and "survey" leaves out what needs to know more of it than is known: see
            `train_index` of DataSpec.
        normalise: what is done to pixels in [0,1] before the network: "dataset", "own", "none", or `Moments`; None:
            "own" for models with weights, "dataset" elsewhere.
        options: how it is run: workers, device, what is done again, ...

    Raises:
        InputError: something is unknown or wrong; nothing was trained.
    """
    folder = (AUDITS if out is None else Path(out)) / GIVEN_FOLDER
    images = settled(data, folder, options)
    choices, objects = chosen(architectures, images, scale, folder, options)
    if weights is not None and any(choice.weights is not None for choice in choices):
        raise InputError("weights: expected nothing beside a trained module, which has its own")
    if objects:
        if options.executor not in {DEFAULT_OPTIONS.executor, SERIAL}:
            raise SpecError("executor", f"{SERIAL}, as no other process has the module", options.executor)
        options = replace(options, executor=SERIAL)
    study = make_study(
        choose_all(choices, weights, normalise),
        images, scale, protocol, attacks, seeds, analyses, epsilon=epsilon,
    )  # fmt: skip
    return run_study(study, out, options)


def analyze(
    architecture: str,
    weights: str | Path,
    data: str | DataSpec = "mnist5k",
    scale: Scale = "mini",
    analyses: Analyses = "all",
    out: str | Path | None = None,
    options: RunOptions = DEFAULT_OPTIONS,
) -> Audit:
    """Analyse a model that is already trained, and write the report: nothing is trained, nothing attacked.

    Args:
        architecture: a name of the catalogue, or the path of a genotype file.
        weights: safetensors, or a state dict that `torch.save` wrote. Its tensors are those of the network that
            `load_architecture` makes for these data, normalisation included.
        data: as in `audit`; the images that the loss is taken on.
        scale: of the network.
        analyses: as in `audit`. Convergence needs a training, and is left out.
        out: folder of the results; None: one under `audits/`.
        options: as in `audit`.

    Raises:
        InputError: something is unknown or wrong, or the weights do not fit; nothing was analysed.
    """
    study = make_study(choose_all([architecture], weights), data, scale, "sound", (), 1, analyses)
    return run_study(study, out, options)


def mitigate(
    architecture: str,
    data: str | DataSpec = "mnist5k",
    mitigation: MitigationSpec | None = None,
    scale: Scale = "mini",
    attacks: Attacks = "survey",
    analyses: Analyses = MITIGATION_ANALYSES,
    seeds: int | None = None,
    out: str | Path | None = None,
    options: RunOptions = DEFAULT_OPTIONS,
) -> Audit:
    """Harden an architecture, train and attack all variants like the original, and say in the report what it brought.

    Args:
        architecture: as in `audit`; rewirings need a network of cells.
        data: as in `audit`.
        mitigation: remedies, doses and what they may cost; None: the three rewirings of the normal cell, in full.
        scale: as in `audit`.
        attacks: as in `audit`.
        analyses: as in `audit`.
        seeds: how many training seeds; None: 3. With one, nothing is said of other trainings.
        out: as in `audit`.
        options: as in `audit`.

    Returns:
        The finished study; `results.remedies` has every variant with its differences.

    Raises:
        InputError: something is unknown or wrong, or no remedy changes the architecture; nothing was trained.
    """
    study = make_study(
        [architecture], data, scale, "sound", attacks, seeds, analyses, mitigation or MitigationSpec()
    )
    return run_study(study, out, options)


def run_study(
    study: StudySpec, out: str | Path | None = None, options: RunOptions = DEFAULT_OPTIONS
) -> Audit:
    """Run a study and write its report.

    Args:
        study: what to do.
        out: folder of the results; None: one under `audits/`.
        options: how it is run.

    Raises:
        InputError: the study cannot be run as asked; nothing was trained.
    """
    folder = Path(out) if out is not None else default_folder(study)
    results = run(study, folder, options)
    if options.mode != "read-only":
        unfinished = any(flag.kind == UNFINISHED for flag in results.flags)
        refresh_report(results, folder, always=unfinished)
    return Audit(folder, results)


def load_audit(folder: str | Path) -> Audit:
    """A study that was run before, from its folder."""
    return Audit(Path(folder), StudyFolder(Path(folder)).results())


def gate(
    folder: str | Path,
    policy: str | Path,
    baseline: str | Path | None = None,
    *,
    junit: str | Path | None = None,
    sarif: str | Path | None = None,
) -> "Gate":
    """Judge a finished study by a policy; see docs/gate.md.

    Args:
        folder: of the study; only its results.json is read.
        policy: a YAML file.
        baseline: folder of the study that `not_worse_than_baseline` means.
        junit: write the verdicts as JUnit XML to this file.
        sarif: write the broken rules as SARIF 2.1.0 to this file; the current folder is the root of its paths.

    Raises:
        InputError: a field of the policy is wrong, or a rule selects nothing; nothing was compared or written.
        StoreError: a folder holds no results, or a file cannot be written.
    """
    from nasaudit.gate.judge import judge
    from nasaudit.gate.policies import load_policy

    rules = load_policy(Path(policy))
    before = None if baseline is None else StudyFolder(Path(baseline)).results()
    judged = judge(rules, StudyFolder(Path(folder)).results(), before)
    if junit is not None:
        from nasaudit.gate.junit import to_junit

        _write(Path(junit), to_junit(judged))
    if sarif is not None:
        from nasaudit.gate.sarif import to_sarif

        _write(Path(sarif), to_sarif(judged, Path.cwd()))
    return judged


def _write(path: Path, text: str) -> None:
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)


def compare(first: str | Path, second: str | Path) -> "StudyComparison":
    """By how much the figures of one finished study differ from those of another; see docs/gate.md.

    Args:
        first: folder of the study that is subtracted.
        second: folder of the other one.

    Raises:
        InputError: they differ in protocol, data or scale, or have no figure in common.
        StoreError: a folder holds no results.
    """
    from nasaudit.gate.compare import compare_studies

    return compare_studies(StudyFolder(Path(first)).results(), StudyFolder(Path(second)).results())


def refresh_report(results: StudyResults, folder: Path, *, always: bool = False) -> Path:
    """Write the report unless it is newer than the results that it shows."""
    report, source = folder / REPORT_FILE, folder / "results.json"
    if always or not report.exists() or report.stat().st_mtime_ns <= source.stat().st_mtime_ns:
        from nasaudit.report import write_report

        write_report(results, folder)
    return report


def default_folder(study: StudySpec) -> Path:
    """`audits/<architectures>-<data>-<digest>`: the same study always has the same folder."""
    names = [choice.name for choice in study.architectures[:4]] or [study.name]
    names += ["hardened"] * (study.mitigation is not None)
    readable = "".join(c if c.isalnum() or c in "-_" else "_" for c in f"{'-'.join(names)}-{study.data.name}")
    return AUDITS / f"{readable[:60]}-{study.digest()[:8]}"
