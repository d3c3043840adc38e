"""The commands that read finished studies, or say what there is."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nasaudit.cli.options import Json, Scale, print_json, say


def study_status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.")],
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="And every task that is not done, with the reason.")
    ] = False,
    as_json: Json = False,
) -> None:
    """How far a study is, in one line: also while it runs."""
    from nasaudit.running.status import status
    from nasaudit.terminal.status import progressed

    state = status(folder)
    if as_json:
        print_json(state.as_dict())
        return
    typer.echo(progressed(state, verbose=verbose))


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.")],
    png: Annotated[Path | None, typer.Option(help="Write the figures as PNG files into this folder.")] = None,
    brief: Annotated[
        Path | None, typer.Option(metavar="FILE.pdf", help="Write two pages for who decides (extra `pdf`).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the report of a study anew, from its results."""
    from nasaudit import api

    loaded = api.load_audit(folder)
    written = [api.refresh_report(loaded.results, folder, always=True)]
    if png is not None:
        from nasaudit.report import write_figures

        written += write_figures(loaded.results, folder, png)
    if brief is not None:
        from nasaudit.report.brief import write_brief

        written.append(write_brief(loaded.results, folder, brief))
    if as_json:
        print_json([str(path) for path in written])
        return
    for path in written:
        say(path)


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A finished study's folder.")],
    latex: Annotated[bool, typer.Option("--latex", help="The table of a paper, with booktabs.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The same as Markdown.")] = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="All figures, with numbers where settings are numbers.")
    ] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="The same as a Parquet file (extra `parquet`).")
    ] = False,
    images: Annotated[
        bool, typer.Option("--images", help="With --csv or --parquet: one row an image and attack.")
    ] = False,
    weights: Annotated[
        str,
        typer.Option(metavar="NAME", help="Trained weights of an architecture, to --out FILE.safetensors."),
    ] = "",
    genotype: Annotated[
        str, typer.Option(metavar="NAME", help="Cells of an architecture, to --out FILE.json.")
    ] = "",
    seed: Annotated[
        int | None, typer.Option(help="With --weights: of which training. [default: the first]")
    ] = None,
    mlflow: Annotated[str, typer.Option(metavar="URI_OR_DIR", help="Log to MLflow (extra `mlflow`).")] = "",
    wandb: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Log to Weights & Biases, offline (extra `wandb`).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write. [default: print it]")] = None,
) -> None:
    """Print or write a study's figures as a table, its trained models as files, or both to a tracker."""
    from nasaudit import api
    from nasaudit.errors import InputError
    from nasaudit.report import export as tables
    from nasaudit.report import trackers, trained
    from nasaudit.results.opened import OpenedStudy
    from nasaudit.store.files import write_atomically

    chosen = [latex, markdown, csv, parquet, bool(weights), bool(genotype), bool(mlflow), wandb is not None]
    if sum(chosen) != 1:
        names = "--latex, --markdown, --csv, --parquet, --weights, --genotype, --mlflow and --wandb"
        raise InputError(f"export: expected one of {names}")
    if images and not (csv or parquet):
        raise InputError("export: --images is a table: --csv or --parquet")
    results, text = api.load_audit(folder).results, ""
    if mlflow:
        text = "".join(f"run: {run}\n" for run in trackers.to_mlflow(results, folder, mlflow))
    elif wandb is not None:
        text = "".join(f"offline run: {path}\n" for path in trackers.to_wandb(results, folder, wandb))
    elif latex or markdown:
        text = tables.to_latex(results) if latex else tables.to_markdown(results)
    elif csv:
        text = tables.to_csv(tables.table(results, OpenedStudy.of(folder) if images else None))
    elif out is None:
        raise InputError("export: this is for a file: --out FILE")
    elif parquet:
        tables.to_parquet(tables.table(results, OpenedStudy.of(folder) if images else None), out)
    else:
        model = trained.find_model(results, OpenedStudy.of(folder), weights or genotype, seed)
        say(model.write_weights(out) if weights else model.write_genotype(out))
    if out is None:
        typer.echo(text, nl=False)
    elif text:
        write_atomically(out, text)


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
    from nasaudit import api
    from nasaudit.terminal.verdicts import judged as verdict_table

    judged = api.gate(folder, policy, baseline, junit=junit, sarif=sarif)
    if as_json:
        verdicts = [verdict.model_dump() for verdict in judged.verdicts]
        answer = {"holds": judged.holds, "policy": str(policy), "notes": judged.notes, "verdicts": verdicts}
        print_json(answer)
    else:
        for note in judged.notes:
            say(f"note: {note}")
        typer.echo(verdict_table(judged))
    if not judged.holds:
        raise typer.Exit(1)


def compare(
    first: Annotated[Path, typer.Argument(metavar="DIR1", help="The study that is subtracted.")],
    second: Annotated[Path, typer.Argument(metavar="DIR2", help="The other one.")],
    everything: Annotated[
        bool, typer.Option("--all", help="All figures, not only the headline of each attack family.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Paired differences between two finished studies, second minus first."""
    from nasaudit import api
    from nasaudit.terminal.verdicts import compared

    comparison = api.compare(first, second)
    if as_json:
        print_json(comparison.model_dump())
        return
    for warning in comparison.warnings:
        say(f"note: {warning}")
    typer.echo(compared(comparison, everything))


def list_names(
    what: Annotated[
        Literal["architectures", "attacks", "data", "searches", "analyses", "remedies"], typer.Argument()
    ],
    as_json: Json = False,
) -> None:
    """List architectures, attacks, data, searches, analyses or remedies."""
    from nasaudit.terminal.tables import entries, table

    names = entries(what)
    if as_json:
        print_json(names)
        return
    typer.echo(table(what, names))


def show(
    architecture: Annotated[str, typer.Argument(metavar="ARCH", help="As for audit.")],
    scale: Scale = "mini",
    classes: Annotated[int, typer.Option(min=2, help="Number of classes.")] = 10,
    svg: Annotated[Path | None, typer.Option(help="Write a picture of the cells to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Parameters, FLOPs and the shape of the cells, with a drawing."""
    from nasaudit.terminal.architecture import describe, write_svg

    facts = describe(architecture, scale, classes)
    if svg is not None:
        write_svg(facts, svg)
    if as_json:
        print_json(facts.as_dict())
        return
    typer.echo(facts.as_text())
    if svg is not None:
        typer.echo()
        say(f"picture: {svg}")
