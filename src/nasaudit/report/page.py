"""The page: sections in order, rendered into one file that needs no network."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nasaudit.report import format
from nasaudit.report.charts.frame import unchecked
from nasaudit.report.evidence import Evidence
from nasaudit.report.palette import CROWD, GROUP_TITLES, dark_style, group_style
from nasaudit.report.parts import Figure, Fold, Section
from nasaudit.report.sections import (
    accuracy,
    claims,
    examples,
    groups,
    origin,
    population,
    reproduce,
    summary,
)
from nasaudit.report.sections.analyses import convergence, gradients, landscape, others, smoothness, topology
from nasaudit.report.sections.families.all import FAMILIES
from nasaudit.report.sections.remedies import section as remedies
from nasaudit.report.sections.searches import section as searches
from nasaudit.results.large.later import MANY, in_brief
from nasaudit.results.schema import UNFINISHED, StudyResults
from nasaudit.store.files import write_atomically

REPORT_FILE = "report.html"
ANALYSES = (topology, convergence, gradients, smoothness, landscape)
# A table of more rows than LONG_TABLE shows the first ones, and the others when asked for.
LONG_TABLE, FIRST_ROWS = CROWD, 10
# The first screen alone.
SCREEN = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>{{ style }}</style>
</head>
<body>
<h1>{{ study.name }}</h1>
{% include "summary.html.j2" with context %}
</body>
</html>
"""
FRAME, FRAME_LINE = 480, 100  # pixels of height of the first screen in a notebook, and of each of its threats


def write_report(results: StudyResults, folder: Path) -> Path:
    """Write `folder/report.html`: one file with everything in it, which makes no network request.

    Of results with very many rows it is an index: the figures that verdicts rest on.

    Args:
        results: what the study found; nothing is computed anew.
        folder: the study's folder, in which the example files are.

    Returns:
        The path of the report.
    """
    path = folder / REPORT_FILE
    shown = in_brief(results) if len(results.rows) > MANY else results
    write_atomically(path, render(Evidence(shown, folder)))
    return path


def write_figures(results: StudyResults, folder: Path, png_dir: Path) -> list[Path]:
    """Write every chart of the report as a PNG file at twice the screen's resolution.

    Returns:
        The files, in the order of the report.
    """
    evidence = Evidence(results, folder)
    png_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    with unchecked():
        figures = [figure for section in sections(evidence) for figure in section.figures]
        specs = [figure.for_file(with_legend=not evidence.crowded) for figure in figures]
    for figure, spec in zip(figures, specs, strict=True):
        path = png_dir / f"{figure.name}.png"
        write_atomically(path, vl_convert.vegalite_to_png(spec, scale=2))
        paths.append(path)
    return paths


def sections(evidence: Evidence) -> list[Section]:
    """The sections that this study has something to say in, in order."""
    families = [family.section(evidence) for family in FAMILIES]
    # Without an attack the analyses are what the page is about.
    aside: Fold = "closed" if any(families) else "open"
    analyses = [
        *(analysis.section(evidence) for analysis in ANALYSES),
        *others.sections(evidence, {"training", *(analysis.FAMILY for analysis in ANALYSES)}),
    ]
    ends = (reproduce.methods(evidence), reproduce.reproduce(evidence), reproduce.failures(evidence))
    candidates: list[tuple[Fold, Sequence[Section | None]]] = [
        ("open", (summary.section(evidence), groups.section(evidence, FAMILIES), claims.section(evidence))),
        ("open", (remedies.section(evidence), searches.section(evidence), population.section(evidence))),
        ("lead", families),
        (aside, (accuracy.section(evidence), examples.section(evidence), *analyses)),
        ("closed", ends),
    ]
    return [
        # A table that could lead says again what the first screen says.
        section.folded("closed" if fold == "lead" and section.lead is None else fold)
        for fold, some in candidates
        for section in some
        if section is not None
    ]


def render(evidence: Evidence) -> str:
    """The whole page as text."""
    scripts = [vega_bundle(), _asset("report.js")]
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    template = environment().get_template("page.html.j2")
    with unchecked():
        return template.render(
            **shared(evidence),
            origin=origin.facts(evidence),
            sections=sections(evidence),
            scripts=[Markup(script) for script in scripts],
            # What the page's policy allows to run: these texts and no others.
            script_hashes=["sha256-" + base64.b64encode(digest).decode("ascii") for digest in digests],
        )


def shared(evidence: Evidence) -> dict[str, object]:
    """What the templates of sections need of the whole page."""
    sizes = Counter(subject.spec.group for subject in evidence.subjects)
    return {
        "evidence": evidence,
        "study": evidence.results.study,
        "unfinished": next(
            (format.first_up(flag.message) for flag in evidence.results.flags if flag.kind == UNFINISHED), ""
        ),
        "subjects": evidence.subjects,
        "colours": {subject.name: subject.style.colour for subject in evidence.subjects},
        "style": style(),
        "group_titles": GROUP_TITLES,
        # The legend of charts with more architectures than names fit in one.
        "crowd": [
            (title, group_style(group), sizes[group]) for group, title in GROUP_TITLES.items() if sizes[group]
        ],
        "long_table": LONG_TABLE,
        "first_rows": FIRST_ROWS,
    }


def first_screen(evidence: Evidence) -> str:
    """The first screen as a piece of HTML for a notebook: a frame without scripts, in which charts are pictures.

    The frame is a page of its own: its rules reach nothing of the notebook's, nor the other way around.
    """
    words = shared(evidence)
    macros = environment().get_template("macros.html.j2").make_module(words)
    show = {
        "table": macros.table,  # type: ignore[attr-defined]
        "threats": macros.threats,  # type: ignore[attr-defined]
        "figure": partial(as_picture, evidence),
    }
    content = summary.section(evidence).content
    page = environment().from_string(SCREEN).render(**words, content=content, show=show)
    # Nothing is below this screen for its links to lead to.
    page = re.sub(r' \(<a href="#[^"]*">[^<]*</a>\)', "", page)
    height = FRAME + FRAME_LINE * len(evidence.results.threats)
    return (
        f'<iframe srcdoc="{escape(page)}" sandbox="" title="nasaudit" '
        f'style="width:100%;height:{height}px;border:0;resize:vertical"></iframe>'
    )


def as_picture(evidence: Evidence, figure: Figure) -> Markup:
    """A figure where no script runs."""
    svg = vl_convert.vegalite_to_svg(figure.for_file(with_legend=not evidence.crowded))
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
    return Markup(
        '<figure><img src="{}" alt="{}" style="max-width:100%"><figcaption>{}</figcaption></figure>'
    ).format(source, figure.alt, figure.caption)


@lru_cache(maxsize=1)
def vega_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script. Taken from vl-convert, so chart and script fit."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # A script's text ends at the first "</script", wherever it stands.
    return bundle.replace("</script", "<\\/script")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Of the templates: everything is escaped, and a name that is missing is an error."""
    return Environment(
        loader=PackageLoader("nasaudit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style() -> Markup:
    """The style sheet of the page, for screens and paper."""
    return Markup(_asset("style.css") + dark_style())


def _asset(name: str) -> str:
    return (files("nasaudit.report") / "templates" / name).read_text(encoding="utf-8")
