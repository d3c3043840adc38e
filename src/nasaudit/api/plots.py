"""The charts of a report as objects to look at, change and save: the same as on its page."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, cast

from nasaudit.errors import UnknownNameError
from nasaudit.report.evidence import Evidence

if TYPE_CHECKING:
    from nasaudit.report.charts.frame import Drawn
    from nasaudit.report.parts import Figure

# What a chart is called here, where the part of the report that has it is called otherwise.
CALLED = {"verdict": "threats"}
CURVE = "security_curve"  # evasion over epsilon: the curve that everybody looks for first
CURVE_TITLE = "Security curve"

Draw = Callable[..., "Drawn"]


class Plots:
    """One method for each part of the report that has charts, and `security_curve`: Altair charts.

    `dir()` has those for which the study has figures. Where a part has several, `which` is any word of a figure's
    name or title; the first one is drawn without it. Iterating gives the names of all figures, and `plot[name]`
    draws one.

    Args:
        evidence: of the study.
    """

    def __init__(self, evidence: Evidence):
        self._evidence = evidence

    def __dir__(self) -> list[str]:
        return sorted(self._parts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._figures)

    def __getitem__(self, name: str) -> "Drawn":
        if name not in self._figures:
            raise UnknownNameError("figure of this study", name, self._figures)
        return self._drawn(self._figures[name])

    def __getattr__(self, name: str) -> Draw:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._parts:
            raise AttributeError(
                f"this study has no figures of {name!r}; it has: {', '.join(sorted(self._parts)) or 'none'}"
            )
        figures = self._parts[name]

        def draw(which: str = "") -> "Drawn":
            fitting = [figure for figure in figures if which.lower() in _words(figure)]
            if not fitting:
                raise UnknownNameError(f"figure of {name}", which, [figure.name for figure in figures])
            return self._drawn(fitting[0])

        draw.__name__ = name
        draw.__doc__ = "One of " + "; ".join(f"{figure.name}: {figure.title}" for figure in figures)
        return draw

    def __repr__(self) -> str:
        return "\n".join(
            f"{name}: {', '.join(f.name for f in figures)}" for name, figures in self._parts.items()
        )

    @cached_property
    def _parts(self) -> dict[str, list["Figure"]]:
        from nasaudit.report.page import sections

        parts = {
            CALLED.get(section.anchor, section.anchor.replace("-", "_")): list(section.figures)
            for section in sections(self._evidence)
            if section.figures
        }
        curves = [figure for figure in parts.get("evasion", ()) if figure.title == CURVE_TITLE]
        return parts | ({CURVE: curves} if curves else {})

    @cached_property
    def _figures(self) -> dict[str, "Figure"]:
        return {figure.name: figure for figures in self._parts.values() for figure in figures}

    def _drawn(self, figure: "Figure") -> "Drawn":
        import altair as alt

        spec = figure.for_file(with_legend=not self._evidence.crowded)
        return cast("Drawn", alt.Chart.from_dict(spec))  # of the class that the specification is of


def _words(figure: "Figure") -> str:
    return f"{figure.name} {figure.title} {figure.about}".lower()
