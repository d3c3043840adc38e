"""Extraction: agreement by budget, what copies are worth at the largest one, and other ways to ask."""

from collections.abc import Mapping

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.parts import Block, Cell, Figure, Section, Table, Text
from nasaudit.report.sections.families.attack import MeasuredAttack, curve_figure, extremes
from nasaudit.report.sections.families.base import Family, Wording, published
from nasaudit.report.sections.tables import column, heading, table
from nasaudit.results.schema import Headline, Row
from nasaudit.spec.attacks import Family as FamilyName
from nasaudit.spec.attacks.base import SAME
from nasaudit.spec.attacks.extraction import OTHER

FAMILY: FamilyName = "extraction"
# Said in words; any other field that tells two thefts apart is said as it is.
WORDED = ("surrogate", "labels", "pool", "answers")
POOLS: Mapping[str, str] = {
    "pool": "images it was not trained on",
    "train": "its own training images",
    OTHER: "images of another data set",
}
INTRODUCTION = (
    "A thief asks the victim about images and trains a surrogate on the answers. Every image that the victim answers "
    "is counted; each budget has a new surrogate. The surrogate of the victim's own architecture mixes two things, "
    "how much the answers give away and how easily that architecture learns; one surrogate for all victims takes the "
    "second away, except that a victim of the surrogate's own architecture may be copied more easily by it."
)
NOTE = (
    "That was measured with a surrogate of the victim's own architecture. The cross entropy of a perfect copy is "
    "the victim's own entropy, so a victim that is sure of itself looks easier to steal by that measure; the KL "
    "divergence of a perfect copy is 0."
)
ANSWERS: Mapping[str, str] = {"soft": "probabilities", "hard": "predicted classes"}
METRICS = ("agreement", "surrogate_accuracy", "kl", "cross_entropy", "mean_absolute_error", "transfer_asr")


class Theft(MeasuredAttack):
    """One attack as it was set: the rows of all its budgets."""

    family = FAMILY
    metric = "agreement"
    varying = frozenset({"budget", "budgets", "budget_shares", "epsilon", "images"})

    @property
    def surrogate(self) -> str:
        """What the thief trains."""
        name = self.setting.get("surrogate", SAME)
        return "the victim's own architecture" if name == SAME else f"{name} for every victim"

    @property
    def answers(self) -> str:
        """What the victim tells, e.g. `probabilities (top 3, 2 decimals)`."""
        kind = ANSWERS.get(self.setting.get("labels", ""), "answers")
        return f"{kind} ({self.setting['answers']})" if "answers" in self.setting else kind

    @property
    def title(self) -> str:
        """E.g. `knockoff, probabilities on images it was not trained on; surrogate: resnet for every victim`."""
        pool = self.setting.get("pool", "pool")
        images = POOLS.get(pool, f"images of {pool}")
        others = "".join(f", {key} {text}" for key, text in self.identity if key not in WORDED)
        return f"{self.name}, {self.answers} on {images}; surrogate: {self.surrogate}{others}"


def quote(evidence: Evidence, headline: Headline, subject: Subject) -> str:
    """How like it a copy is, after how many queries, and what the copy is good for."""
    row = headline.rows.get(subject.name)
    if row is None:
        return ""
    theft, budget = Theft.of(row), row.setting["budget"]
    surrogate = theft.setting.get("surrogate", SAME)
    copy = "of the same architecture" if surrogate == SAME else f"a {surrogate}"
    sentence = (
        f"A thief who asks for its {theft.answers} on "
        f"{format.whole(int(budget))} images gets a copy ({copy}) that agrees with it on "
        f"{format.estimate(row, 'of the test images')}."
    )
    fooled = theft.row(evidence, subject, "transfer_asr", budget=budget)
    if fooled is not None:
        noise = _noise(evidence, subject)
        beside = "" if noise is None else f"; random noise of that size fools it on {format.value(noise)}"
        sentence += (
            f" Adversarial examples made on the copy (PGD, {fooled.setting['epsilon']}) fool it on "
            f"{format.estimate(fooled, 'of the images that it gets right')}{beside}."
        )
    return sentence


def wording(evidence: Evidence, headline: Headline) -> Wording:
    """With the budget and what the thief trains; beside it what the copies are good for."""
    theft, budget = Theft.judged(headline), headline.setting["budget"]
    return Wording(
        f"agreement of a copy after {_counted(budget)} (surrogate: {theft.surrogate})",
        theft.by_name(evidence, "transfer_asr", budget=budget),
        ("Of the adversarial examples made on the copies", "work"),
    )


def section(evidence: Evidence) -> Section | None:
    """A curve with its tables for every theft with several budgets; the others side by side."""
    thefts = Theft.measured(evidence)
    if not thefts:
        return None
    swept = [theft for theft in thefts if len(theft.values(evidence, "budget")) > 1] or thefts[:1]
    variants = [
        _at_largest(evidence, theft, format.first_up(theft.title)) for theft in thefts if theft not in swept
    ]
    others = Block.of(
        "Other ways to ask",
        "extraction-variants",
        Text("To be compared with the same surrogate at the same number of queries above.", quiet=True),
        *variants,
    )
    # How often noise of the same size fools each victim; the same for all thefts.
    noise = {
        subject.name: row for subject in evidence.subjects if (row := _noise(evidence, subject)) is not None
    }
    floors = [
        table(
            evidence,
            f"Random sign noise of the same size ({row.setting['epsilon']}) fools the victim: what adversarial "
            "examples must exceed",
            [column("fooled by noise", noise)],
        )
        for row in list(noise.values())[:1]
    ]
    return Section.of(
        "extraction",
        "Extraction",
        INTRODUCTION,
        published(evidence, FAMILY, NOTE),
        *(_block(evidence, theft) for theft in swept),
        *floors,
        others if variants else None,
    )


def _block(evidence: Evidence, theft: Theft) -> Block:
    grid = theft.values(evidence, "budget")
    several = len(grid) > 1
    rows = theft.by_name(evidence, "agreement", budget=grid[-1])
    whole = "of the test images"
    share = (
        extremes(evidence, rows, whole)
        if len(rows) > 1
        else "".join(format.estimate(row, whole) for row in rows.values())
    )
    learned = f"For {_counted(grid[-1])} a thief gets a copy that says what the victim says on {share}."
    by_budget = [(_counted(budget), "agreement", {"budget": budget}) for budget in grid]
    return Block.of(
        format.first_up(theft.title),
        theft.anchor,
        theft.summary,
        learned if rows else None,
        _figure(evidence, theft) if several else None,
        _at_largest(evidence, theft, "All that was measured"),
        theft.table(evidence, "Agreement by budget, of all test images", by_budget, keep_empty=True)
        if several
        else None,
    )


def _figure(evidence: Evidence, theft: Theft) -> Figure:
    points = theft.points(
        evidence, "agreement", "budget", lambda budget: (int(budget), format.whole(int(budget)))
    )
    return curve_figure(
        evidence,
        theft.anchor,
        theft.title,
        "Agreement by budget",
        "Share of the test images on which the copy and the victim predict the same class, by the number of images "
        "that the victim was asked about.",
        "the agreement by query budget",
        [record for record in points if record["x"] != 0],  # the axis is logarithmic
        ("queries", "agreement"),
        "agrees on",
        x_log=True,
        whole=False,
    )


def _at_largest(evidence: Evidence, theft: Theft, caption: str) -> Table:
    """All metrics at the largest budget, and the queries that were really counted."""
    budget = theft.values(evidence, "budget")[-1]
    metrics = [column(heading(metric), theft.by_name(evidence, metric, budget=budget)) for metric in METRICS]
    queries = theft.by_name(evidence, "queries", budget=budget)
    counted = column("queries", queries, lambda row: Cell(format.whole(row.value)))
    return table(evidence, f"{caption}: {_counted(budget)}", [*metrics, counted])


def _counted(budget: str) -> str:
    return f"{format.whole(int(budget))} queries"


def _noise(evidence: Evidence, subject: Subject) -> Row | None:
    for theft in Theft.measured(evidence):
        row = theft.row(evidence, subject, "floor")
        if row is not None:
            return row
    return None


EXTRACTION = Family(FAMILY, section, quote, wording)
