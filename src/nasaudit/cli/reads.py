"""The commands that read finished studies, or say what there is."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from nasaudit.cli.options import Json, Scale, complain, print_json, say


def study_status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.")],
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="And every task that is not done, with the reason.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Look again every few seconds, until no run is going on.")
    ] = False,
    as_json: Json = False,
) -> None:
    """How far a study is, in one line: also while it runs."""
    from nasaudit.running.status import status
    from nasaudit.terminal.status import followed, progressed

    state = status(folder)
    if follow and state.going:
        state = followed(lambda: status(folder), sys.stderr if as_json else sys.stdout, verbose=verbose)
        if not as_json:
            return
    if as_json:
        print_json(state.as_dict())
        return
    typer.echo(progressed(state, verbose=verbose))


def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder, finished or not.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
    host: Annotated[
        str, typer.Option(help="Address to serve at; beyond loopback a token is needed.")
    ] = "127.0.0.1",
    token: Annotated[
        str,
        typer.Option(
            envvar="NASAUDIT_TOKEN", help="That a visitor must know. [default: beyond loopback, a new one]"
        ),
    ] = "",
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """A live page of a study, also while it runs: tasks, figures, failures, records, the report as it stands."""
    from nasaudit.results.folder import StudyFolder
    from nasaudit.serving.server import Served, bind

    StudyFolder(folder).read()  # a folder without a study is said here, what else is wrong on the page
    place = bind(host, port, token)
    served = Served(folder, place)
    try:
        say(f"serving {folder}: {place.address} (Ctrl-C ends it)")
        if not place.local:
            complain(
                "note: the address is reached from other machines, and what goes over it is not encrypted; through a "
                "network that is not yours, serve on loopback and use `ssh -L`"
            )
        if show:
            import webbrowser

            webbrowser.open(place.address)
        served.wait()
    except KeyboardInterrupt:
        pass  # it is how serving ends
    finally:
        served.close()


def study_schema() -> None:
    """Print the JSON schema of a study's file, by which editors complete and check it."""
    from nasaudit.terminal.schema import study_schema as schema

    print_json(schema())


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.")],
    png: Annotated[Path | None, typer.Option(help="Write the figures as PNG files into this folder.")] = None,
    brief: Annotated[
        Path | None, typer.Option(metavar="FILE.pdf", help="Write two pages for who decides (extra `pdf`).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the report of a study anew, from its results; of an unfinished one, from what there is."""
    from nasaudit import api
    from nasaudit.results.folder import STUDY_FILE
    from nasaudit.running.partial import results_so_far

    # A folder with nothing but results.json will do.
    so_far = results_so_far(folder) if (folder / STUDY_FILE).exists() else None
    results = api.load_audit(folder).results if so_far is None else so_far
    written = [api.refresh_report(results, folder, always=True)]
    if png is not None:
        from nasaudit.report import write_figures

        written += write_figures(results, folder, png)
    if brief is not None:
        from nasaudit.report.brief import write_brief

        written.append(write_brief(results, folder, brief))
    if so_far is not None:
        complain(f"note: {so_far.flags[0].message}")
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
    policy: Annotated[Path | None, typer.Option(help="The rules, a YAML file.")] = None,
    init: Annotated[
        bool, typer.Option("--init", help="Write a policy that the study keeps to, in place of judging it.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="With --init: the file. [default: print it]")] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="A finished study that this one must not be worse than.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the verdicts as JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Write the broken rules as SARIF 2.1.0.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the verdicts as Markdown, e.g. to $GITHUB_STEP_SUMMARY.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold a finished study to a policy: exit code 0 if every rule holds, 1 if one is broken."""
    from nasaudit import api
    from nasaudit.errors import InputError
    from nasaudit.gate.markdown import to_markdown
    from nasaudit.store.files import write_atomically
    from nasaudit.terminal.verdicts import judged as verdict_table

    if init:
        _write_policy(folder, out)
        return
    if policy is None:
        raise InputError("gate: expected --policy FILE, or --init to make one of the study")
    judged = api.gate(folder, policy, baseline, junit=junit, sarif=sarif)
    if markdown is not None:
        write_atomically(markdown, to_markdown(judged))
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


def _write_policy(folder: Path, out: Path | None) -> None:
    from nasaudit import api
    from nasaudit.errors import InputError
    from nasaudit.gate.first_policy import first_policy
    from nasaudit.store.files import write_atomically

    text = first_policy(api.load_audit(folder).results, str(folder))
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise InputError(f"--out: {out} exists, and may hold limits of yours; choose another file")
    write_atomically(out, text)
    say(f"policy: {out}; read the limits, and change them to what you can accept")


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
        Literal["architectures", "attacks", "data", "searches", "analyses", "remedies", "metrics"],
        typer.Argument(),
    ],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="One of them, with every field: default, range and meaning."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List architectures, attacks, data, searches, analyses, remedies or metrics."""
    from nasaudit.terminal.tables import detailed, details, entries, table

    if name is not None:
        entry = details(what, name)
        if as_json:
            print_json(entry)
        else:
            typer.echo(detailed(entry))
        return
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
