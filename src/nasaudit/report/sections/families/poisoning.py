"""Poisoning: what wrong labels cost each architecture, and whether optimised poisons reach their targets."""

from collections.abc import Iterator, Mapping, Sequence

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.images import Images, Wanted, strip
from nasaudit.report.parts import Block, Figure, Picture, Section, Table, Text
from nasaudit.report.sections.families.attack import MeasuredAttack, curve_figure, extremes
from nasaudit.report.sections.families.base import Family, Wording, published
from nasaudit.results.schema import Headline
from nasaudit.spec.attacks import Family as FamilyName
from nasaudit.spec.attacks import PoisoningSpec

FAMILY: FamilyName = "poisoning"
OPEN_STRIPS = 4  # more are folded
INTRODUCTION = (
    "The attacker changes some of the training images, the victim is trained on them as usual, and both models are "
    "judged on the same clean test images. A larger loss of accuracy means that the attacker does more damage: "
    "higher is worse for the defender."
)
WANTED = Wanted("poisoned", ("aimed_label", "reached"))
STRIPS = (
    "The mismatch is one minus the cosine of the angle between the gradients of the poison and of the target, on the "
    "attacker's model: 0 where both teach the same. Each strip shows a training image, the poison it became, and the "
    "difference on grey, amplified. The label is correct in all of them."
)


class Threat(MeasuredAttack):
    """One attack as it was run: the rows of all its fractions."""

    family = FAMILY
    metric = "cad"
    varying = frozenset({"fraction", "poison"})

    @property
    def title(self) -> str:
        """E.g. `Label flip, seed 1`."""
        return format.first_up(", ".join([self.name, *(f"{key} {text}" for key, text in self.identity)]))

    @property
    def poisoned(self) -> str:
        """What is wrong with a share of the training images, after "With 20 %"."""
        if self.spec is not None and issubclass(self.spec, PoisoningSpec):
            return self.spec.poisoned
        return f"of the training images poisoned ({self.name})"


def quote(evidence: Evidence, headline: Headline, subject: Subject) -> str:
    """What it loses to each attack at the largest fraction, and how many targets an optimised poison reaches."""
    sentences = []
    first_of_each = {threat.attack: threat for threat in reversed(Threat.measured(evidence))}
    for threat in reversed(first_of_each.values()):
        most = threat.values(evidence, "fraction")[-1]
        drop = threat.row(evidence, subject, "cad", fraction=most)
        reached = threat.row(evidence, subject, "asr", fraction=most)
        if reached is not None:
            sentences.append(
                f"Slight changes to {format.round_percent(most)} of the training images, labels correct, make it "
                f"take {format.estimate(reached, 'of the chosen test images')} for the attacker's class."
            )
        elif drop is not None:
            left = threat.row(evidence, subject, "clean_accuracy", fraction=most)
            still = "" if left is None else f", and is {format.value(left)} accurate"
            sentences.append(
                f"With {format.round_percent(most)} {threat.poisoned} it loses {format.estimate(drop)} of clean "
                f"accuracy{still}."
            )
    return " ".join(sentences)


def wording(evidence: Evidence, headline: Headline) -> Wording:
    """With the poisoned share; beside it the accuracy that is left."""
    threat, fraction = Threat.judged(headline), headline.setting["fraction"]
    return Wording(
        f"clean accuracy lost with {format.round_percent(fraction)} {threat.poisoned}",
        threat.by_name(evidence, "clean_accuracy", fraction=fraction),
        ("Of the test images", "are still classified correctly"),
    )


def section(evidence: Evidence) -> Section | None:
    """A curve with its tables for every attack; for optimised poisons also what they reach and how they look."""
    blocks = [_block(evidence, threat) for threat in Threat.measured(evidence)]
    if not blocks:
        return None
    return Section.of(
        "poisoning",
        "Poisoning",
        INTRODUCTION,
        published(evidence, FAMILY, "That was measured with random wrong labels."),
        *blocks,
    )


def _block(evidence: Evidence, threat: Threat) -> Block:
    grid = threat.values(evidence, "fraction")
    poisoned = [fraction for fraction in grid if float(fraction) > 0]
    # What an optimised poison reaches, and costs.
    tables = [
        threat.table(
            evidence,
            f"Targets, with {format.round_percent(at['fraction'])} of the training images poisoned",
            [
                ("targets reached", "asr", at),
                ("reached without poison", "floor", at),
                ("", "confidence_gain", at),
                ("mismatch of unchanged images", "matching_loss", {**at, "poison": "before"}),
                ("of the poison", "matching_loss", {**at, "poison": "after"}),
                ("", "cad", at),
                ("accuracy left", "clean_accuracy", at),
            ],
            keep_empty=True,
        )
        for at in ({"fraction": fraction} for fraction in poisoned)
        if threat.by_name(evidence, "asr", **at)
    ]
    pictures = threat.pictures(evidence)
    return Block.of(
        threat.title,
        threat.anchor,
        threat.summary,
        _costs(evidence, threat, grid[-1]),
        _figure(evidence, threat) if len(grid) > 1 else None,
        *(
            tables
            or (
                _table(evidence, threat, "Clean accuracy lost", "cad", poisoned, average="cad_area"),
                _table(evidence, threat, "Clean accuracy that is left", "clean_accuracy", grid),
            )
        ),
        Text(STRIPS, quiet=True) if pictures else None,
        *(
            strip(
                evidence,
                entry,
                f"Poisons for {evidence.titles.get(entry.architecture, entry.architecture)}, seed {entry.seed}",
                WANTED,
                _draw,
                is_open=len(pictures) <= OPEN_STRIPS,
            )
            for entry in pictures
        ),
    )


def _costs(evidence: Evidence, threat: Threat, fraction: str) -> str:
    """Who loses least and who most."""
    rows = threat.by_name(evidence, "cad", fraction=fraction)
    where = f"With {format.round_percent(fraction)} {threat.poisoned}"
    if len(rows) > 1:
        return f"{where}, models lose {extremes(evidence, rows, 'of clean accuracy')}."
    return "".join(
        f"{where}, {evidence.titles[name]} loses {format.estimate(row)} of clean accuracy."
        for name, row in rows.items()
    )


def _figure(evidence: Evidence, threat: Threat) -> Figure:
    return curve_figure(
        evidence,
        threat.anchor,
        threat.title,
        "Accuracy lost by poisoned share",
        "Clean accuracy without poison minus that with it, on the same test images, in points. Higher is worse for "
        "the defender.",
        "the clean accuracy lost by the poisoned share of the training images",
        threat.points(
            evidence,
            "cad",
            "fraction",
            lambda fraction: (round(100 * float(fraction), 6), format.round_percent(fraction)),
            scale=100,
        ),
        ("poisoned training images (%)", "clean accuracy lost (points)"),
        "loses",
        shares=False,
    )


def _table(
    evidence: Evidence, threat: Threat, caption: str, metric: str, grid: Sequence[str], average: str = ""
) -> Table:
    """A column for each fraction, and one for the measure of all of them, where there is any."""
    columns: list[tuple[str, str, Mapping[str, str]]] = [
        (format.round_percent(fraction), metric, {"fraction": fraction}) for fraction in grid
    ]
    if average and threat.by_name(evidence, average):
        columns.append(("on average", average, {}))
    return threat.table(
        evidence, f"{caption}, by poisoned share of the training images", columns, keep_empty=True
    )


def _draw(images: Images) -> Iterator[Picture]:
    """The image as it was, as it is learned from, and the difference."""
    for k, reached in enumerate(images.arrays["reached"]):
        label = images.class_name("label", k)
        became = f"The same image after poisoning, still labelled {label}"
        yield images.triple(
            k,
            "poisoned",
            ("Training image", became, "What the attack changed"),
            (
                "Poison of class ",
                label,
                " against a test image of class ",
                images.class_name("aimed_label", k),
            ),
            f"the target is {'now' if reached else 'not'} taken for {label}",
        )


POISONING = Family(FAMILY, section, quote, wording)
