"""What a study, a gate and a comparison found, for the terminal."""

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from nasaudit.gate.compare import Difference, StudyComparison
from nasaudit.gate.judge import Gate, written
from nasaudit.results.schema import Row, StudyResults
from nasaudit.results.verdict_models import Effect
from nasaudit.terminal.plain import plain, plain_lines
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
    rows, above = [], ""
    for verdict in gate.verdicts:
        rows.append(
            {
                "rule": "" if verdict.rule == above else verdict.rule,
                "architecture": verdict.architecture,
                "figure": _spaced(verdict.figure),
                "measured": written(verdict.measured),
                "difference": "" if verdict.difference is None else written(verdict.difference),
                "": "holds" if verdict.holds else "BROKEN",
            }
        )
        above = verdict.rule
    if not any(row["difference"] for row in rows):
        rows = [{key: text for key, text in row.items() if key != "difference"} for row in rows]
    why = [plain(f"{gate.policy.path}:{verdict.line}: {verdict.sentence}") for verdict in gate.broken]
    titles = {verdict.rule for verdict in gate.verdicts}
    broken = {verdict.rule for verdict in gate.broken}
    end = f"{len(broken)} of {len(titles)} rules are broken" if broken else f"all {len(titles)} rules hold"
    return "\n".join([table("verdicts", rows), "", *why, end])


def compared(comparison: StudyComparison, everything: bool) -> str:
    """Differences of two studies as a table for the terminal."""
    shown = [difference for difference in comparison.differences if everything or difference.headline]
    rows = [
        {
            "architecture": difference.architecture,
            "figure": _spaced(difference.figure),
            "first": _side(difference, "before"),
            "second": _side(difference, "after"),
            "difference": written(difference.difference),
            "interval": f"{difference.n} seeds" if difference.how == "seeds" else difference.how,
            "finding": difference.finding,
        }
        for difference in shown
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
    from nasaudit.report.remedy_names import Names
    from nasaudit.report.sections.remedies.method import method, talk
    from nasaudit.report.sections.remedies.words import hardenings, sentence, summary, threat, title

    names = Names.of(results, Evidence(results, Path()).titles)
    originals = hardenings(results.remedies, names, len(results.study.seeds))
    if not originals:
        return "no remedies in this study"
    parts = [_wrapped(summary(originals))]
    for hardening in originals:
        advice = (
            *(threat(hardening, family) for family in hardening.families),
            *(sentence(hardening, remedy) for remedy in hardening.remedies),
        )
        rows: list[Entry] = []
        measures: dict[str, None] = {}
        for remedy in hardening.remedies:
            name = hardening.names.full(remedy)
            for effect in [*([] if remedy.accuracy is None else [remedy.accuracy]), *remedy.effects]:
                rows.append(_changed(effect, name))
                name = ""  # it stands in the first row
            for effect in remedy.effects:
                ending = "" if effect.headline else ", which decides nothing"
                measures[f"{_short(effect)}, {effect.measure}{ending}"] = None
        notes = [f"The figures: {'; '.join(measures)}."] if measures else []
        notes += [" ".join(sentences) for sentences in (talk(hardening), method(hardening)) if sentences]
        items = "\n".join(_wrapped(line, "- ") for line in advice)
        parts += [plain(title(hardening)), items, table("figures", rows, WIDTH), *map(_wrapped, notes)]
    return plain_lines("\n\n".join(parts))


def _changed(effect: Effect, name: str) -> Entry:
    from nasaudit.report import format

    change, metric, unit = effect.difference, effect.metric, effect.unit
    points = f"{format.NBSP}points"
    before, after = (format.amount(side.value, metric, unit) for side in (effect.before, effect.after))
    return {
        "remedy": textwrap.wrap(name, NAME_WIDTH, break_on_hyphens=False),
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


def _wrapped(text: str, start: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
    )


def _spaced(figure: str) -> str:
    """Settings with spaces between them, so that a narrow column can break them."""
    return figure.replace(";", " ")


def _side(difference: Difference, side: Literal["before", "after"]) -> str:
    value = difference.before.value if side == "before" else difference.after.value
    sign = {"lower": "at least ", "upper": "at most "}.get(difference.bounds.get(side, ""), "")
    return f"{sign}{value:.4g}"


def threatened(results: StudyResults) -> str:
    """The first screen of the report for the terminal: one line a threat, the most serious first."""
    from nasaudit.report.evidence import Evidence
    from nasaudit.report.sections.threats import heads, lines

    evidence = Evidence(results, Path())
    titles = [f"{head.text}\n{head.note}" if head.note else head.text for head in heads(evidence)]
    rows: list[Entry] = []
    for line in lines(evidence):
        figures = [f"{cell.text} {cell.note.partition(' · ')[0]}".strip() for _, cell in line.cells]
        rows.append(
            {
                "threat": line.name,
                "level": line.level,
                **dict(zip(titles, figures or [""] * len(titles), strict=True)),
                "of": line.about or line.advice,
            }
        )
    return table("threats", rows, WIDTH)
