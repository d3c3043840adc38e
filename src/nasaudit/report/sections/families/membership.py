"""Membership: ROC curves on logarithmic axes, AUC and true positive rates by attack, and what each attack costs."""

import math

from nasaudit.report import format
from nasaudit.report.charts import curves as charts
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.parts import Block, Cell, Figure, Section
from nasaudit.report.sections.families.attack import MeasuredAttack
from nasaudit.report.sections.families.base import Family, Wording, published
from nasaudit.report.sections.tables import column, table
from nasaudit.results.schema import Headline, Row
from nasaudit.spec import attacks
from nasaudit.spec.attacks import MembershipSpec

FAMILY: attacks.Family = "membership"
QUOTED_FPR = "0.01"
INTRODUCTION = (
    "An attacker who is handed an image asks whether it was in the training set. As many training images as test "
    "images are shown to each attack, as they are, without saying which is which. The AUC is the probability that a "
    "training image gets the higher score: 0.5 is guessing. Averages hide the few images that are found for certain, "
    "so the share of the members that is found at few false alarms stands beside it."
)
NOTE = (
    "That figure rests on 50 images of each kind and on a folded AUC, which is never below 0.5; here nothing is "
    "folded."
)


class Inference(MeasuredAttack):
    """One attack as it was set."""

    family = FAMILY
    metric = "auc"
    varying = frozenset({"fpr"})
    sort = True

    @property
    def title(self) -> str:
        """E.g. `LiRA, online`."""
        others = [text if key == "mode" else f"{key} {text}" for key, text in self.identity]
        return ", ".join([self.name, *others])


def quote(evidence: Evidence, headline: Headline, subject: Subject) -> str:
    """What an attacker learns of who was in the training set, and at what cost."""
    row = headline.rows.get(subject.name)
    if row is None:
        return ""
    inference = Inference.of(row)
    if row.low > 0.5:
        guessing = "0.5 is guessing"
    elif row.high < 0.5:
        guessing = "worse than guessing, which is 0.5"
    else:
        guessing = "not told apart from guessing, which is 0.5"
    rate = inference.row(evidence, subject, "tpr_at_fpr", fpr=QUOTED_FPR)
    members = (
        ""
        if rate is None
        else f", and finds {format.estimate(rate, 'of the members')} at "
        f"{format.round_percent(QUOTED_FPR)} false alarms"
    )
    sentence = (
        f"An attacker who {_effort(evidence, subject, inference)} tells its training images from "
        f"others with an AUC of {format.estimate(row)} ({inference.title}; {guessing}){members}."
    )
    accuracies = _accuracies(evidence, subject)
    if accuracies is not None:
        gap = accuracies[0].value - accuracies[1].value
        direction = "more" if gap >= 0 else "less"
        sentence += f" It is {format.points(gap)} {direction} accurate on its training images than on others."
    return sentence


def wording(evidence: Evidence, headline: Headline) -> Wording:
    """With the attack; beside it how many members are found at few false alarms."""
    inference = Inference.judged(headline)
    return Wording(
        f"{headline.measure} ({inference.title})",
        inference.by_name(evidence, "tpr_at_fpr", fpr=QUOTED_FPR),
        (f"At {format.round_percent(QUOTED_FPR)} false alarms", "of the members are found"),
    )


def section(evidence: Evidence) -> Section | None:
    """All attacks side by side, then each with its ROC curves; the one that verdicts quote comes first."""
    inferences = Inference.measured(evidence)
    if not inferences:
        return None
    gaps = {
        subject.name: Cell(
            f"{'' if train.value >= test.value else '-'}{format.points(train.value - test.value)}",
            f"{format.percent(train.value)} − {format.percent(test.value)}",
        )
        for subject in evidence.subjects
        if (accuracies := _accuracies(evidence, subject)) is not None
        for train, test in [accuracies]
    }
    headline = evidence.results.headline(FAMILY)
    main = None if headline is None else Inference.judged(headline)
    ordered = sorted(inferences, key=lambda inference: inference != main)
    overview = table(
        evidence,
        "AUC by attack (0.5 is guessing, below it the attack is wrong more often than not), and the accuracy gap",
        [
            *(column(inference.title, inference.by_name(evidence, "auc")) for inference in inferences),
            ("accuracy, training minus test", gaps),
        ],
        keep_empty=True,
    )
    return Section.of(
        FAMILY,
        "Membership inference",
        INTRODUCTION,
        published(evidence, FAMILY, NOTE),
        overview,
        *(_block(evidence, inference) for inference in ordered),
    )


def _block(evidence: Evidence, inference: Inference) -> Block:
    title, spec = format.first_up(inference.title), inference.spec
    # The ROC of scores that have only two values is one corner.
    graded = spec is None or not issubclass(spec, MembershipSpec) or spec.graded
    rates = [
        column(
            f"found at {format.round_percent(fpr)} false alarms",
            inference.by_name(evidence, "tpr_at_fpr", fpr=fpr),
        )
        for fpr in reversed(inference.values(evidence, "fpr", "tpr_at_fpr"))
    ]
    return Block.of(
        title,
        inference.anchor,
        inference.summary,
        _learned(evidence, inference),
        table(
            evidence,
            f"{title}: AUC, share of the members found, and cost",
            [
                column("AUC", inference.by_name(evidence, "auc")),
                *rates,
                column("queries an image", inference.by_name(evidence, "queries"), _cost),
                column("own models", inference.by_name(evidence, "shadow_models"), _cost),
            ],
        ),
        _figure(evidence, inference) if graded else None,
    )


def _learned(evidence: Evidence, inference: Inference) -> str:
    """What the attacker pays and gets, over all victims."""
    rows = inference.by_name(evidence, "auc")
    subjects = [subject for subject in evidence.subjects if subject.name in rows]
    if not subjects:
        return ""
    above = [subject.title for subject in subjects if rows[subject.name].low > 0.5]
    learns = (
        f"learns more than by guessing of {format.listing(above)}"
        if above
        else "gains nothing that stands out from guessing"
    )
    return f"An attacker who {_effort(evidence, subjects[0], inference)} {learns}."


def _cost(row: Row) -> Cell:
    """A cost that was counted, not estimated, has no interval, and needs no sample size."""
    return Cell(format.value(row)) if format.is_exact(row) else Cell.of(row)


def _figure(evidence: Evidence, inference: Inference) -> Figure | None:
    curves = [
        curve
        for curve in evidence.results.curves
        if curve.family == FAMILY
        and curve.name == "roc"
        and Inference.of(curve) == inference
        and curve.architecture in evidence.titles
    ]
    rates = [rate for curve in curves for rate in curve.x if rate > 0]
    if not rates:
        return None
    lowest = min(0.1, 10.0 ** math.floor(math.log10(min(rates)) + 1e-9))
    return Figure(
        name=inference.anchor,
        title="ROC curve",
        about=inference.title,
        caption="Share of the members found by the share of non-members taken for members, both on logarithmic axes: "
        "the left end is what an attacker finds who accuses few by mistake. One line for each training seed; "
        "the dotted line is guessing.",
        alt=f"ROC curves on logarithmic axes for {evidence.names}; "
        "AUC and true positive rates are in the table above.",
        # A logarithmic axis has no 0: what lies below its lower end is drawn there.
        records=[
            {
                "label": evidence.titles[curve.architecture],
                "seed": curve.seed,
                "fpr": round(max(x, lowest), 6),
                "tpr": round(max(y, lowest), 6),
            }
            for curve in curves
            for x, y in zip(curve.x, curve.y, strict=True)
        ],
        chart=charts.roc_curve(evidence.subjects, lowest),
    )


def _effort(evidence: Evidence, subject: Subject, inference: Inference) -> str:
    """E.g. `sees the model's scores, asks one query an image and trains 8 models of its own`."""
    parts = [inference.access]
    queries = inference.row(evidence, subject, "queries")
    models = inference.row(evidence, subject, "shadow_models")
    if queries is not None:
        asked = format.value(queries)
        parts.append(f"asks {'one query' if asked == '1' else f'{asked} queries'} an image")
    if models is not None:
        parts.append(f"trains {format.whole(models.value)} models of its own")
    return format.listing(parts)


def _accuracies(evidence: Evidence, subject: Subject) -> tuple[Row, Row] | None:
    """On training and on test images."""
    train = evidence.pooled(subject.name, "training", "train_accuracy")
    test = evidence.accuracy(subject.name)
    return None if train is None or test is None else (train, test)


MEMBERSHIP = Family(FAMILY, section, quote, wording)
