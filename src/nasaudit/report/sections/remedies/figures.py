"""Pictures of one original's remedies: a trade-off for each threat, and figures by dose where doses were measured."""

from nasaudit.report import format
from nasaudit.report.charts.remedies import STAR, Look, dose_curve, line_looks, trade_off
from nasaudit.report.evidence import Evidence
from nasaudit.report.palette import COLOURS, SHAPES
from nasaudit.report.parts import Figure
from nasaudit.report.sections.remedies.words import TITLES, Hardening
from nasaudit.results.base import Span
from nasaudit.results.selection import estimate_of
from nasaudit.results.verdict_models import Effect, Remedied

FEWEST_DOSES = 2  # beside the original, without which there is no curve
ORIGINAL = "none: the original"


def point_looks(evidence: Evidence, hardening: Hardening) -> list[Look]:
    """The looks of an original and its remedies, as in the whole report where they are architectures of their own."""
    subjects = {subject.name: subject for subject in evidence.subjects}
    original = subjects.get(hardening.original)
    colour = COLOURS[0] if original is None else original.style.colour
    looks = [Look(hardening.title, colour, STAR, "the original")]
    for k, remedied in enumerate(hardening.remedies):
        subject = subjects.get(remedied.variant) if remedied.kind != "answers" else None
        if subject is None:
            label, colour = _label(hardening, remedied), COLOURS[(k + 1) % len(COLOURS)]
            looks.append(Look(label, colour, SHAPES[-1 - k % len(SHAPES)]))
        else:
            # The remedy, where the architecture's name does not say it.
            note = hardening.names.remedy(remedied) if hardening.names.other_name(remedied) else ""
            looks.append(Look(subject.title, subject.style.colour, subject.style.shape, note))
    return looks


def trade_offs(evidence: Evidence, hardening: Hardening, anchor: str) -> list[Figure]:
    """One for each threat whose headline was measured together with an accuracy."""
    looks = {look.label: look for look in point_looks(evidence, hardening)}
    row = evidence.accuracy(hardening.original)
    alone = None if row is None else Span.of(estimate_of(row))
    measured = (remedied.accuracy.before for remedied in hardening.remedies if remedied.accuracy is not None)
    base = next(measured, alone)  # remedies of the answers do not carry the original's accuracy
    figures = []
    for front in evidence.results.fronts:
        if front.original != hardening.original or base is None:
            continue
        records: list[dict[str, object]] = []
        for place in front.remedies:
            remedied = evidence.results.remedies[place]
            effect = _figure_of(remedied, front.family)
            if effect is None:
                continue
            if not records:
                free = front.original_unbeaten
                records.append(_point(hardening.title, ORIGINAL, base, effect, effect.before, free))
            accuracy = base if remedied.accuracy is None else remedied.accuracy.after
            label, remedy = _label(hardening, remedied), hardening.names.remedy(remedied)
            records.append(_point(label, remedy, accuracy, effect, effect.after, place in front.unbeaten))
        first = hardening.headlines(front.family)[0][1]
        unbeaten = [str(record["label"]) for record in records if record["front"]]
        figure = Figure(
            name=f"{anchor}-trade-off-{front.family}",
            title=format.first_up(TITLES[front.family]),
            about=f"{hardening.title}, accuracy and {first.measure}",
            caption=f"No other is better in both: {format.listing(unbeaten)}.",
            alt=f"Scatter plot of the {first.measure} over the clean accuracy of {hardening.title} and its "
            "remedies; the numbers are in the table.",
            records=records,
            chart=trade_off(
                [looks[str(record["label"])] for record in records],
                first.measure,
                shares=format.in_points(first.metric, first.unit),
            ),
        )
        figures.append(figure)
    return figures


def _point(
    label: str, remedy: str, accuracy: Span, effect: Effect, harm: Span, unbeaten: bool
) -> dict[str, object]:
    return {
        "label": label,
        "remedy": remedy,
        "accuracy": accuracy.value,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "accuracy_text": _estimate(accuracy, "clean_accuracy", "fraction"),
        "value": harm.value,
        "low": harm.low,
        "high": harm.high,
        "estimate": _estimate(harm, effect.metric, effect.unit),
        "front": unbeaten,
        "beaten": "no other is better in both" if unbeaten else "another is better in both",
    }


def dose_curves(hardening: Hardening, anchor: str) -> list[Figure]:
    """The accuracy and each threat by dose, with a line for each remedy that was measured at two doses or more."""
    by_line: dict[str, list[Remedied]] = {}
    for remedied in hardening.remedies:
        if remedied.dose is not None:
            by_line.setdefault(hardening.names.line(remedied), []).append(remedied)
    dosed = {
        line: sorted(steps, key=lambda remedied: remedied.dose or 0)
        for line, steps in by_line.items()
        if len(steps) >= FEWEST_DOSES
    }
    figures = []
    for family in ("", *hardening.families) if dosed else ():
        measured = {
            line: [
                (remedied, effect)
                for remedied in steps
                if (effect := _figure_of(remedied, family)) is not None
            ]
            for line, steps in dosed.items()
        }
        shown = {line: steps for line, steps in measured.items() if len(steps) >= FEWEST_DOSES}
        if shown:
            figures.append(_dose_figure(hardening, family, shown, list(dosed), anchor))
    return figures


def _dose_figure(
    hardening: Hardening,
    family: str,
    shown: dict[str, list[tuple[Remedied, Effect]]],
    lines: list[str],
    anchor: str,
) -> Figure:
    effect = next(iter(shown.values()))[0][1]
    drawn = [look for look in line_looks(lines) if look.label in shown]
    records = []
    for line, steps in shown.items():
        spans = [(0, hardening.title, steps[0][1].before)]
        spans += [
            (remedied.dose or 0, hardening.names.title(remedied.variant), step.after)
            for remedied, step in steps
        ]
        records += [
            {
                "line": line,
                "dose": dose,
                "name": name,
                "value": span.value,
                "low": span.low,
                "high": span.high,
                "estimate": _estimate(span, effect.metric, effect.unit),
            }
            for dose, name, span in spans
        ]
    return Figure(
        name=f"{anchor}-dose-{family or 'accuracy'}",
        title=format.first_up(TITLES.get(family, "clean accuracy")),
        about=f"{hardening.title}, {effect.measure} by dose",
        caption="",
        alt=f"Line chart of the {effect.measure} of {hardening.title} by dose of {format.listing(list(shown))}; the "
        "numbers are in the table.",
        records=records,
        chart=dose_curve(
            drawn,
            max(remedied.dose or 0 for steps in shown.values() for remedied, _ in steps),
            effect.measure,
            shares=format.in_points(effect.metric, effect.unit),
        ),
        key=tuple((look.label, look.colour) for look in drawn),
    )


def _figure_of(remedied: Remedied, family: str) -> Effect | None:
    """The accuracy (""), or a family's headline."""
    if not family:
        return remedied.accuracy
    return next((effect for effect in remedied.decisive if effect.family == family), None)


def _label(hardening: Hardening, remedied: Remedied) -> str:
    return (
        hardening.names.remedy(remedied)
        if remedied.kind == "answers"
        else hardening.names.title(remedied.variant)
    )


def _estimate(span: Span, metric: str, unit: str) -> str:
    if span.low == span.high == span.value:
        return format.quantity(span.value, metric, unit)
    low, high = (format.amount(end, metric, unit) for end in (span.low, span.high))
    return f"{format.quantity(span.value, metric, unit)} [{low},{format.NBSP}{high}]"
