"""What a study, a gate and a comparison found, for the terminal."""

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from nasaudit.gate.compare import Difference, StudyComparison
from nasaudit.gate.judge import Gate, written
from nasaudit.results.schema import Row, StudyResults
from nasaudit.results.verdict_models import Effect, Remedied
from nasaudit.terminal.tables import Entry, table

# Settings of figures that there are dozens of.
PARTS = frozenset({"layer", "op"})

WIDTH, NAME_WIDTH = 100, 16  # letters in a line of what is said of remedies, and in one of their names


def measured(rows: Iterable[Row]) -> str:
    """Rows over all seeds as a table for the terminal; figures of single layers and ops are left to the report."""
    return table(
        "measurements",
        [
            {
                "measured": " ".join([row.metric.replace("_", " "), *row.setting.values()]),
                "value": f"{row.value:,.0f}" if row.value == round(row.value) else f"{row.value:.4g}",
                "95 % interval": "exact" if row.low == row.high else f"[{row.low:.4g}, {row.high:.4g}]",
                "n": row.n,
                "unit": row.unit,
            }
            for row in rows
            if row.seed == "all" and not PARTS & row.setting.keys()
        ],
    )


def judged(gate: Gate) -> str:
    """The verdicts of a gate for the terminal: a table, why each broken rule is broken, and how many hold."""
    rows, told = [], ""
    for verdict in gate.verdicts:
        rows.append(
            {
                "rule": "" if verdict.rule == told else verdict.rule,
                "architecture": verdict.architecture,
                "figure": _spaced(verdict.figure),
                "measured": written(verdict.measured),
                "difference": "" if verdict.difference is None else written(verdict.difference),
                "": "holds" if verdict.holds else "BROKEN",
            }
        )
        told = verdict.rule
    if not any(row["difference"] for row in rows):
        rows = [{key: text for key, text in row.items() if key != "difference"} for row in rows]
    why = [f"{gate.policy.path}:{verdict.line}: {verdict.sentence}" for verdict in gate.broken]
    titles = {verdict.rule for verdict in gate.verdicts}
    broken = {verdict.rule for verdict in gate.broken}
    end = f"{len(broken)} of {len(titles)} rules are broken" if broken else f"all {len(titles)} rules hold"
    return "\n".join([table("verdicts", rows), "", *why, end])


def compared(comparison: StudyComparison, everything: bool) -> str:
    """Differences of two studies as a table for the terminal."""
    shown = [one for one in comparison.differences if everything or one.headline]
    rows = [
        {
            "architecture": one.architecture,
            "figure": _spaced(one.figure),
            "first": _side(one, "before"),
            "second": _side(one, "after"),
            "difference": written(one.difference),
            "interval": f"{one.n} seeds" if one.how == "seeds" else one.how,
            "finding": one.finding,
        }
        for one in shown
    ]
    left = len(comparison.differences) - len(shown)
    lines = [table("headlines that both studies have", rows)]
    if {row["interval"] for row in rows} - {"exact"}:
        lines += [
            "",
            "95 % intervals: where nothing differs, 1 figure in 20 is called better or worse all the same",
        ]
    if left:
        lines.append(f"{left} further figures: --all, or --json")
    return "\n".join(lines)


def remedied(results: StudyResults) -> str:
    """What a study's remedies did, for the terminal: the advice in sentences, then every figure before and after."""
    from nasaudit.report.evidence import Evidence
    from nasaudit.report.format import NBSP
    from nasaudit.report.remedy_names import Names
    from nasaudit.report.sections.remedies.method import method, talk
    from nasaudit.report.sections.remedies.words import hardenings, sentence, summary, threat, title

    names = Names.of(results, Evidence(results, Path()).titles)
    found = hardenings(results.remedies, names, len(results.study.seeds))
    if not found:
        return "no remedies in this study"
    parts = [_wrapped(summary(found))]
    for of_one in found:
        items = [
            _wrapped(said, "- ")
            for said in (
                *(threat(of_one, family) for family in of_one.families),
                *(sentence(of_one, one) for one in of_one.remedies),
            )
        ]
        rows = [row for one in of_one.remedies for row in _changes(one, of_one.names.full(one))]
        measures = dict.fromkeys(_explained(effect) for one in of_one.remedies for effect in one.effects)
        told = [f"The figures: {'; '.join(measures)}."] if measures else []
        told += [" ".join(said) for said in (talk(of_one), method(of_one)) if said]
        parts += [title(of_one), "\n".join(items), table("figures", rows, WIDTH), *map(_wrapped, told)]
    return "\n\n".join(parts).replace(NBSP, " ")


def _changes(one: Remedied, name: str) -> Iterator[Entry]:
    """A row for each figure of a remedy; its name stands in the first."""
    for effect in [*([] if one.accuracy is None else [one.accuracy]), *one.effects]:
        yield _changed(effect, name)
        name = ""


def _changed(effect: Effect, name: str) -> Entry:
    from nasaudit.report import format

    change, metric, unit = effect.difference, effect.metric, effect.unit
    points = f"{format.NBSP}points"
    before, after = (format.amount(side.value, metric, unit) for side in (effect.before, effect.after))
    return {
        "remedy": textwrap.fill(name, NAME_WIDTH, break_on_hyphens=False),
        "figure": _short(effect) + (" (%)" if format.in_points(metric, unit) else ""),
        "before \N{RIGHTWARDS ARROW} after": f"{before} \N{RIGHTWARDS ARROW} {after}",
        "difference": format.changed(change.value, change.low, change.high, metric, unit).replace(points, ""),
        "Holm p": "" if effect.p_holm is None else format.p_value(effect.p_holm).replace(" ", ""),
        "finding": effect.finding,
    }


def _short(effect: Effect) -> str:
    """The family stands for its headline; what decides nothing stands in brackets."""
    if not effect.headline:
        return f"({effect.metric.replace('_', ' ')})"
    return "accuracy" if effect.family == "training" else effect.family


def _explained(effect: Effect) -> str:
    ending = "" if effect.headline else ", which decides nothing"
    return f"{_short(effect)}, {effect.measure}{ending}"


def _wrapped(said: str, start: str = "") -> str:
    return textwrap.fill(
        said, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
    )


def _spaced(figure: str) -> str:
    """Settings with spaces between them, so that a narrow column can break them."""
    return figure.replace(";", " ")


def _side(one: Difference, side: Literal["before", "after"]) -> str:
    value = one.before.value if side == "before" else one.after.value
    return f"{'at least ' * (side in one.least)}{value:.4g}"
