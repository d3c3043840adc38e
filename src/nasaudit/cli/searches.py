"""The command that searches for cells, and audits them beside random ones of the same space."""

from typing import Annotated, Literal

import typer

from nasaudit.cli.options import RunFlags, Scale, say, with_run_flags
from nasaudit.cli.runs import Analyses, Attacks, Classes, Data, TrainImages, names


@with_run_flags
def search(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="As `nasaudit list searches` names it.")],
    space: Annotated[str, typer.Option(help="darts, nasnet, enas, nasbench201, or a YAML file.")] = "",
    data: Data = "mnist5k",
    train_images: TrainImages = None,
    classes: Classes = None,
    scale: Scale = "mini",
    protocol: Annotated[
        Literal["sound", "paper"], typer.Option(help="sound, or paper (the authors' own splits).")
    ] = "sound",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of the search, e.g. epochs=25."),
    ] = None,
    objective: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="What children are judged by: accuracy, and evasion, poisoning, backdoor, extraction, membership, "
            "flops, parameters.",
        ),
    ] = "accuracy",
    beside_plain: Annotated[
        bool,
        typer.Option(
            "--beside-plain",
            help="Run the same search by accuracy alone, or without levers, too, at equal cost.",
        ),
    ] = False,
    searches: Annotated[int, typer.Option(min=1, max=100, help="How often, from seed 0 on.")] = 1,
    random_cells: Annotated[
        int, typer.Option(min=0, max=1000, help="Cells of the same space, drawn at random, to judge it by.")
    ] = 3,
    attacks: Attacks = "survey",
    analyses: Analyses = "topology,convergence",
    seeds: Annotated[int, typer.Option(min=1, help="Training seeds for each architecture.")] = 2,
    *,
    flags: RunFlags,
) -> None:
    """Search for cells on your data; train and attack what is found like any architecture."""
    from nasaudit.data.catalogue import parse_data
    from nasaudit.planning.search_request import make_search

    images = parse_data(data, train_images=train_images, classes=classes)
    study = make_search(
        method,
        space or None,
        settings or (),
        objectives=() if objective == "accuracy" else names(objective),
        beside_plain=beside_plain,
        searches=searches,
        random_cells=random_cells,
        data=images,
        scale=scale,
        protocol=protocol,
        attacks=names(attacks),
        seeds=seeds,
        analyses=names(analyses),
    )
    finished = flags.run(study)
    if not flags.as_json:
        from nasaudit.terminal.searches import found

        typer.echo(found(finished.results))
        for searched in finished.results.searches:
            say(f"cells: {finished.folder / 'cells' / searched.architecture}.json")
    flags.conclude(finished)
