"""The commands that run a study."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from nasaudit.cli.options import Plan, RunFlags, Scale, print_json, say, with_run_flags

Analyses = Annotated[
    str, typer.Option(help="all; none; or names: topology,convergence,gradients,smoothness,landscape.")
]
Attacks = Annotated[str, typer.Option(help="survey: one of each family; families, attacks; all; none.")]
TrainImages = Annotated[
    int | None, typer.Option(min=2, help="Train on so many images, as many of each class. [default: all]")
]
Classes = Annotated[int | None, typer.Option(min=2, help="So many classes, drawn by the data seed.")]
Index = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --weights: positions of images that it was (not) trained on."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field of the study, e.g. training.epochs=3."),
]
Data = Annotated[str, typer.Option(help="digits, mnist5k, cifar10, ..., folder:PATH, npz:PATH.")]


@with_run_flags
def audit(
    architectures: Annotated[
        list[str],
        typer.Argument(
            metavar="ARCH...",
            help="Names; genotype files; timm:NAME; torchvision:NAME; a NAS-Bench-201 text; file.py:build.",
        ),
    ],
    data: Data = "mnist5k",
    train_images: TrainImages = None,
    classes: Classes = None,
    scale: Scale = "mini",
    attacks: Attacks = "survey",
    analyses: Analyses = "all",
    protocol: Annotated[
        Literal["sound", "paper"], typer.Option(help="sound, or paper (the talk's own).")
    ] = "sound",
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
    train_index: Index = None,
    test_index: Index = None,
    normalise: Annotated[
        Literal["dataset", "own", "none"] | None,
        typer.Option(help="Of the pixels: dataset; own (the model's); none. [default: own with --weights]"),
    ] = None,
    epsilon: Annotated[
        str, typer.Option(metavar="E[,E]", help="Of evasion attacks, ascending: 8/255, or 2/255,8/255.")
    ] = "",
    attacked: Annotated[
        int | None, typer.Option("--images", min=1, help="That evasion attacks are tried on.")
    ] = None,
    changes: Changes = None,
    plan: Plan = False,
    *,
    flags: RunFlags,
) -> None:
    """Train architectures, attack them, and write report.html, results.csv and results.json."""
    from nasaudit.data.catalogue import parse_data
    from nasaudit.planning.requests import choose_all, make_study
    from nasaudit.planning.studies import changed_study

    choices = choose_all(architectures, weights, normalise)
    images = parse_data(
        data,
        train_images=train_images,
        classes=classes,
        train_index=None if train_index is None else str(train_index.absolute()),
        test_index=None if test_index is None else str(test_index.absolute()),
    )
    study = make_study(choices, images, scale, protocol, names(attacks), seeds, names(analyses))
    evasions = [place for place, attack in enumerate(study.attacks) if attack.family == "evasion"]
    for place in evasions:
        if epsilon:
            changes = [*(changes or ()), f"attacks.{place}.epsilons=[{epsilon}]"]
        if attacked is not None:
            changes = [*(changes or ()), f"attacks.{place}.images={attacked}"]
    if changes:
        study = changed_study(study, changes)
    if plan:
        flags.plan(study)
        return
    flags.conclude(flags.run(study))


@with_run_flags
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
    scope: Annotated[
        Literal["normal", "reduction", "all"], typer.Option(help="Cells that are rewired.")
    ] = "normal",
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
    data: Data = "mnist5k",
    train_images: TrainImages = None,
    classes: Classes = None,
    scale: Scale = "mini",
    attacks: Attacks = "survey",
    analyses: Analyses = "topology,convergence",
    seeds: Annotated[int, typer.Option(min=1, help="Training seeds for each architecture.")] = 3,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the variants, and what it would cost; train nothing.")
    ] = False,
    *,
    flags: RunFlags,
) -> None:
    """Harden an architecture, and prove it: retrain, attack again, compare by seed and image."""
    from nasaudit.data.catalogue import parse_data
    from nasaudit.planning.requests import make_study
    from nasaudit.spec.remedies.mitigation import MitigationSpec

    asked = MitigationSpec.parse(
        {
            "remedies": names(remedies),
            "scope": scope,
            "doses": doses if doses in ("full", "curve") else names(doses),
            "replacements": names(replacements),
            "max_drop": max_drop / 100,
        },
        where="mitigate",
    )
    images = parse_data(data, train_images=train_images, classes=classes)
    study = make_study([architecture], images, scale, "sound", names(attacks), seeds, names(analyses), asked)
    if plan:
        from nasaudit.terminal.architecture import hardened, hardened_table

        entries = hardened(study)
        if flags.as_json:
            print_json(entries)
        else:
            typer.echo(hardened_table(entries, asked.of_kind("answers")))
            typer.echo()
            flags.plan(study)
        return
    finished = flags.run(study)
    if not flags.as_json:
        from nasaudit.terminal.verdicts import remedied

        typer.echo(remedied(finished.results))
    flags.conclude(finished)


@with_run_flags
def analyze(
    architecture: Annotated[str, typer.Argument(metavar="ARCH", help="As for audit.")],
    weights: Annotated[Path, typer.Option(help="Trained weights: safetensors, or a saved state dict.")],
    data: Data = "mnist5k",
    scale: Scale = "mini",
    analyses: Analyses = "all",
    *,
    flags: RunFlags,
) -> None:
    """Analyse a trained model: topology, gradients, smoothness, landscapes. No training, no attack."""
    from nasaudit.planning.requests import choose_all, make_study
    from nasaudit.terminal.verdicts import measured

    choices = choose_all([architecture], weights)
    finished = flags.run(make_study(choices, data, scale, "sound", (), 1, names(analyses)))
    if not flags.as_json:
        typer.echo(measured(finished.results.rows))
    flags.conclude(finished)


@with_run_flags
def run_study(
    study: Annotated[str, typer.Argument(metavar="FILE.yaml|NAME", help="A YAML file, or a recipe's name.")],
    changes: Changes = None,
    *,
    flags: RunFlags,
) -> None:
    """Run a study that a YAML file describes, or each of a grid."""
    from nasaudit.planning.grids import load_studies

    members = load_studies(study, changes or ())
    if not members[0].label:
        flags.conclude(flags.run(members[0].study))
        return
    folder, begun, failed = flags.out or _grid_folder(study), time.monotonic(), False
    for position, member in enumerate(members):
        if not flags.as_json:
            say(f"study {position + 1} of {len(members)}: {member.study.name}")
        own = flags.of_member(folder, member.label, len(members) - position, begun)
        try:
            own.conclude(own.run(member.study))
        except typer.Exit as end:  # with failures, which are told; the other studies go on
            failed |= bool(end.exit_code)
    if failed:
        raise typer.Exit(1)


@with_run_flags
def plan_study(
    study: Annotated[str, typer.Argument(metavar="FILE.yaml|NAME", help="A YAML file, or a recipe's name.")],
    changes: Changes = None,
    *,
    flags: RunFlags,
) -> None:
    """What a study would cost, or each of a grid: its tasks, those done before, CPU time and disk; nothing runs."""
    from nasaudit.planning.grids import load_studies

    members = load_studies(study, changes or ())
    if members[0].label:
        flags = replace(flags, store=flags.store or str((flags.out or _grid_folder(study)) / "store"))
    flags.plan(*(member.study for member in members))


def _grid_folder(study: str) -> Path:
    """Where the studies of a grid go unless a folder is said."""
    return Path("audits") / Path(study).stem


def names(text: str) -> list[str]:
    """Names with commas between them; `none` stands for no name, nothing at all for a mistake."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        from nasaudit.errors import InputError

        raise InputError(f"expected names with commas between them, or `none`, got {text!r}")
    return [] if names == ["none"] else names
