"""The command line: thin. Each command turns words into a spec, calls the API and prints what came.

Exit codes: 0 all done; 1 some tasks failed (the report is written and says which), or a gate's rule is broken; 2 the
input must be changed; 3 the machine or the folder cannot be used as asked; 130 interrupted (the next run resumes).
"""

import errno
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasaudit import __version__
from nasaudit.errors import InputError, NasauditError, StoreError

if TYPE_CHECKING:
    from nasaudit.api import Audit
    from nasaudit.running.run import RunOptions
    from nasaudit.spec.study import StudySpec

app = typer.Typer(
    name="nasaudit",
    help="Measure how vulnerable an architecture is, explain why, and show what to change.",
    epilog="Exit codes: 0 done; 1 some tasks failed, or a rule is broken; 2 bad input; 3 unusable machine or folder; "
    "130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
study_app = typer.Typer(
    name="study", help="Run a study from a YAML file, or look at one.", no_args_is_help=True
)
app.add_typer(study_app)


class ScaleName(StrEnum):
    """`mini` trains in minutes on a CPU; `paper` is the published size."""

    mini = "mini"
    paper = "paper"


class ProtocolName(StrEnum):
    """`sound` repairs the measurements; `paper` repeats the talk's own."""

    sound = "sound"
    paper = "paper"


class NormaliseName(StrEnum):
    """What is done to pixels in [0,1] before the network."""

    dataset = "dataset"
    own = "own"
    none = "none"


class ScopeName(StrEnum):
    """Which cells a rewiring changes."""

    normal = "normal"
    reduction = "reduction"
    all = "all"


class ModeName(StrEnum):
    """What is done again."""

    cached = "cached"
    retry = "retry"
    force = "force"
    read_only = "read-only"


class Catalogue(StrEnum):
    """What can be listed."""

    architectures = "architectures"
    attacks = "attacks"
    data = "data"
    searches = "searches"
    analyses = "analyses"
    remedies = "remedies"


Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the results. [default: one under audits/]")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes side by side. [default: one a core or GPU]")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:K.")]
ExecutorOption = Annotated[
    str, typer.Option("--executor", help="processes; serial (one after the other); a plugin's.")
]
Mode = Annotated[ModeName, typer.Option(help="cached; retry failures; force all; read-only.")]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store", envvar="NASAUDIT_STORE", help="Records to share between studies. [default: in --out]"
    ),
]
Download = Annotated[bool, typer.Option("--download", help="Fetch the data set where that is possible.")]
Analyses = Annotated[
    str, typer.Option(help="all; none; or names: topology,convergence,gradients,smoothness,landscape.")
]
Attacks = Annotated[str, typer.Option(help="survey: one of each family; families, attacks; all; none.")]
DataOption = Annotated[str, typer.Option(help="digits, mnist5k, cifar10, ..., folder:PATH, npz:PATH.")]
ScaleOption = Annotated[ScaleName, typer.Option(help="mini (a CPU, minutes) or paper (published size).")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """Options that come before a command."""


@app.command()
def audit(
    architectures: Annotated[
        list[str],
        typer.Argument(
            metavar="ARCH...",
            help="Names; genotype files; timm:NAME; torchvision:NAME; a NAS-Bench-201 text; file.py:build.",
        ),
    ],
    data: DataOption = "mnist5k",
    scale: ScaleOption = ScaleName.mini,
    attacks: Attacks = "survey",
    analyses: Analyses = "all",
    protocol: Annotated[
        ProtocolName, typer.Option(help="sound, or paper (the talk's own).")
    ] = ProtocolName.sound,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Training seeds for each architecture. [default: 3; 1 with --weights]"),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Trained weights of the one architecture: it is audited as it is, without training."
        ),
    ] = None,
    normalise: Annotated[
        NormaliseName | None,
        typer.Option(help="Of the pixels: dataset; own (the model's); none. [default: own with --weights]"),
    ] = None,
    workers: Workers = None,
    device: Device = "auto",
    executor: ExecutorOption = "processes",
    out: Out = None,
    mode: Mode = ModeName.cached,
    store: StoreOption = None,
    download: Download = False,
    as_json: Json = False,
) -> None:
    """Train architectures, attack them, and write report.html, results.csv and results.json."""
    from nasaudit import api

    choices = api.given(architectures, weights, None if normalise is None else normalise.value)
    study = api.make_study(
        choices, data, scale.value, protocol.value, _names(attacks), seeds, _names(analyses)
    )
    _run(study, out, _options(workers, device, executor, mode, store, download, as_json), as_json)


@app.command()
def mitigate(
    architecture: Annotated[
        str, typer.Argument(metavar="ARCH", help="As for audit; rewirings need a network of cells.")
    ],
    remedies: Annotated[
        str,
        typer.Option(
            help="As `nasaudit list remedies` names them, or all of a kind: rewiring, training, answers."
        ),
    ] = "rewiring",
    scope: Annotated[ScopeName, typer.Option(help="Cells that are rewired.")] = ScopeName.normal,
    doses: Annotated[
        str, typer.Option(help="Nodes or skips of each cell: full; curve, for every number; or 1,2.")
    ] = "full",
    replacements: Annotated[
        str,
        typer.Option(metavar="OP[,OP]", help="Ops in the place of dropped skips; the last serves the rest."),
    ] = "sep_conv_3x3",
    max_drop: Annotated[
        float,
        typer.Option(min=0, max=100, help="Points of accuracy that a recommended remedy may cost."),
    ] = 1.0,
    data: DataOption = "mnist5k",
    scale: ScaleOption = ScaleName.mini,
    attacks: Attacks = "survey",
    analyses: Analyses = "topology,convergence",
    seeds: Annotated[int, typer.Option(min=1, help="Training seeds for each architecture.")] = 3,
    plan: Annotated[bool, typer.Option("--plan", help="Print the variants; train nothing.")] = False,
    workers: Workers = None,
    device: Device = "auto",
    executor: ExecutorOption = "processes",
    out: Out = None,
    mode: Mode = ModeName.cached,
    store: StoreOption = None,
    download: Download = False,
    as_json: Json = False,
) -> None:
    """Harden an architecture, and prove it: retrain, attack again, compare by seed and image."""
    from nasaudit import api, terminal
    from nasaudit.spec.mitigation import MitigationSpec

    asked = MitigationSpec.parse(
        {
            "remedies": _names(remedies),
            "scope": scope.value,
            "doses": doses if doses in ("full", "curve") else _names(doses),
            "replacements": _names(replacements),
            "max_drop": max_drop / 100,
        },
        where="mitigate",
    )
    study = api.make_study(
        [architecture], data, scale.value, "sound", _names(attacks), seeds, _names(analyses), asked
    )
    if plan:
        entries = terminal.hardened(study)
        if as_json:
            _print_json(entries)
        else:
            typer.echo(terminal.hardened_table(entries, asked.of_kind("answers")))
        return
    finished = api.run_study(study, out, _options(workers, device, executor, mode, store, download, as_json))
    if not as_json:
        typer.echo(terminal.remedied(finished.results))
    _conclude(finished, as_json)


@app.command()
def analyze(
    architecture: Annotated[str, typer.Argument(metavar="ARCH", help="As for audit.")],
    weights: Annotated[Path, typer.Option(help="Trained weights: safetensors, or a saved state dict.")],
    data: DataOption = "mnist5k",
    scale: ScaleOption = ScaleName.mini,
    analyses: Analyses = "all",
    workers: Workers = None,
    device: Device = "auto",
    executor: ExecutorOption = "processes",
    out: Out = None,
    mode: Mode = ModeName.cached,
    store: StoreOption = None,
    download: Download = False,
    as_json: Json = False,
) -> None:
    """Analyse a trained model: topology, gradients, smoothness, landscapes. No training, no attack."""
    from nasaudit import api, terminal

    options = _options(workers, device, executor, mode, store, download, as_json)
    finished = api.analyze(architecture, weights, data, scale.value, _names(analyses), out, options)
    if not as_json:
        typer.echo(terminal.measured(finished.results.rows))
    _conclude(finished, as_json)


@study_app.command("run")
def study_run(
    study: Annotated[str, typer.Argument(metavar="FILE.yaml|NAME", help="A YAML file, or a recipe's name.")],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change a field, e.g. population.cells=20."),
    ] = None,
    workers: Workers = None,
    device: Device = "auto",
    executor: ExecutorOption = "processes",
    out: Out = None,
    mode: Mode = ModeName.cached,
    store: StoreOption = None,
    download: Download = False,
    as_json: Json = False,
) -> None:
    """Run a study that a YAML file describes."""
    from nasaudit.planning.studies import load_study

    options = _options(workers, device, executor, mode, store, download, as_json)
    _run(load_study(study, changes or ()), out, options, as_json)


@study_app.command("status")
def study_status(folder: Annotated[Path, typer.Argument(metavar="DIR")], as_json: Json = False) -> None:
    """What of a study is done, failed or missing."""
    from nasaudit.running.status import status

    found = status(folder)
    if as_json:
        _print_json(found.as_dict())
        return
    typer.echo(found.as_text())


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.")],
    png: Annotated[Path | None, typer.Option(help="Write the figures as PNG files into this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Write the report of a study anew, from its results."""
    from nasaudit import api

    loaded = api.load_audit(folder)
    written = [api.refresh_report(loaded.results, folder, always=True)]
    if png is not None:
        from nasaudit.report import write_figures

        written += write_figures(loaded.results, folder, png)
    if as_json:
        _print_json([str(path) for path in written])
        return
    for path in written:
        typer.echo(path)


@app.command()
def gate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A finished study's folder.")],
    policy: Annotated[Path, typer.Option(help="The rules, a YAML file.")],
    baseline: Annotated[
        Path | None, typer.Option(help="A finished study that this one must not be worse than.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the verdicts as JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Write the broken rules as SARIF 2.1.0.")] = None,
    as_json: Json = False,
) -> None:
    """Hold a finished study to a policy: exit code 0 if every rule holds, 1 if one is broken."""
    from nasaudit import api, terminal

    judged = api.gate(folder, policy, baseline, junit=junit, sarif=sarif)
    if as_json:
        verdicts = [verdict.model_dump() for verdict in judged.verdicts]
        said = {"holds": judged.holds, "policy": str(policy), "notes": judged.notes, "verdicts": verdicts}
        _print_json(said)
    else:
        for note in judged.notes:
            typer.echo(f"note: {note}")
        typer.echo(terminal.judged(judged))
    if not judged.holds:
        raise typer.Exit(1)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="DIR1", help="The study that is subtracted.")],
    second: Annotated[Path, typer.Argument(metavar="DIR2", help="The other one.")],
    everything: Annotated[
        bool, typer.Option("--all", help="All figures, not only the headline of each attack family.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Paired differences between two finished studies, second minus first."""
    from nasaudit import api, terminal

    compared = api.compare(first, second)
    if as_json:
        _print_json(compared.model_dump())
        return
    for warning in compared.warnings:
        typer.echo(f"note: {warning}")
    typer.echo(terminal.compared(compared, everything))


@app.command("list")
def list_names(what: Annotated[Catalogue, typer.Argument()], as_json: Json = False) -> None:
    """List architectures, attacks, data, searches, analyses or remedies."""
    from nasaudit import terminal

    entries = terminal.entries(what.value)
    if as_json:
        _print_json(entries)
        return
    typer.echo(terminal.table(what.value, entries))


@app.command()
def show(
    architecture: Annotated[str, typer.Argument(metavar="ARCH", help="As for audit.")],
    scale: ScaleOption = ScaleName.mini,
    classes: Annotated[int, typer.Option(min=2, help="Number of classes.")] = 10,
    svg: Annotated[Path | None, typer.Option(help="Write a picture of the cells to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Parameters, FLOPs and the shape of the cells, with a drawing."""
    from nasaudit import terminal

    facts = terminal.describe(architecture, scale.value, classes)
    if svg is not None:
        terminal.write_svg(facts, svg)
    if as_json:
        _print_json(facts.as_dict())
        return
    typer.echo(facts.as_text())
    if svg is not None:
        typer.echo(f"\npicture: {svg}")


INTERRUPTED = 130


def main() -> None:
    """Entry point: errors that a user can act on are one line on stderr and an exit code, never a traceback."""
    try:
        # Without its standalone mode Typer returns the code of an Exit, and 130 for Ctrl-C.
        code = app(standalone_mode=False) or 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except NasauditError as error:
        _complain(str(error))
        code = error.exit_code
    except OSError as error:
        if error.errno == errno.EPIPE:  # `nasaudit list ... | head`
            sys.exit(0)
        _complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        code = StoreError.exit_code
    except Exception as error:
        # Typer's own usage errors know how to show themselves.
        show_usage = getattr(error, "show", None)
        if show_usage is None:
            raise
        show_usage()
        code = InputError.exit_code
    if code == INTERRUPTED:
        _complain("interrupted; run the same command again to resume")
    sys.exit(code)


def _run(study: "StudySpec", out: Path | None, options: "RunOptions", as_json: bool) -> None:
    from nasaudit import api

    _conclude(api.run_study(study, out, options), as_json)


def _options(
    workers: int | None,
    device: str,
    executor: str,
    mode: ModeName,
    store: Path | None,
    download: bool,
    as_json: bool,
) -> "RunOptions":
    """What the flags of a run say; bars go where the answer of the command does not."""
    from nasaudit.running.display.progress import progress_observer
    from nasaudit.running.run import RunOptions

    return RunOptions(
        workers=workers,
        device=device,
        executor=executor,
        mode=mode.value,
        store=store,
        download=download,
        observer=progress_observer(sys.stderr if as_json else sys.stdout),
    )


def _conclude(finished: "Audit", as_json: bool) -> None:
    failures = finished.results.failures
    if as_json:
        _print_json(
            {
                "folder": str(finished.folder),
                "report": str(finished.report),
                "results": str(finished.folder / "results.json"),
                "table": str(finished.folder / "results.csv"),
                "failures": [failure.model_dump() for failure in failures],
                "flags": [flag.model_dump() for flag in finished.results.flags],
            }
        )
    else:
        for flag in finished.results.flags:
            typer.echo(f"note: {flag.message}")
        typer.echo(f"report: {finished.report}")
    if finished.failed:
        _complain(f"{len(failures)} tasks failed, the first: {failures[0].label}: {failures[0].message}")
        raise typer.Exit(1)


def _names(text: str) -> list[str]:
    """Names with commas between them; `none` stands for no name."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if names == ["none"] else names


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=1))


def _complain(message: str) -> None:
    typer.echo(f"nasaudit: {message}", err=True)
