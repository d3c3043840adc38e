"""Verdicts as `results.json` has them: each decision with what it rests on. They are made in `verdicts`, once."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nasaudit.results.base import Count, Measured, Number, Plain, Probability, Span
from nasaudit.spec.attacks import Family
from nasaudit.spec.remedies.catalogue import RemedyKind


class AccuracyGap(Plain):
    """Pairs of compared architectures whose clean accuracies are far apart: the widest, and how many there are."""

    difference: Number
    architectures: tuple[str, str]
    pairs: Count


# The end of a scale that a figure is at; `chance`: the victim guesses, so that the figure means nothing.
End = Literal["top", "bottom", "chance"]


class Saturation(Plain):
    """Why an architecture's headline figure is at the end of its scale; `verdicts.saturation` has the rules."""

    architecture: str
    end: End
    reason: str  # as a clause


class Untested(Plain):
    """A family of attacks that a study says nothing of: why, as a clause, and how it could be tested."""

    family: Family
    why: str
    how: str


# How serious a threat is, by the conventions of `verdicts.threats`.
Level = Literal["severe", "raised", "unclear", "low", "not tested"]


class ThreatFigure(Plain):
    """What a threat does to one architecture."""

    architecture: str
    level: Level
    position: int  # of the figure, in the results' rows


class Threat(Plain):
    """A family of attacks as a threat: the most serious level of any architecture, and the figure of each."""

    family: Family
    level: Level
    figures: list[ThreatFigure]


class Standing(Plain):
    """The architectures by one family's headline, whose rows it rests on.

    One is easier to attack than another if their 95 % intervals do not overlap and the scale of the figure does not
    end there for both; a pair in neither list is undecided.
    An interval makes the decision: there is no p, and no power.
    """

    family: str
    ranked: Annotated[list[str], Field(min_length=2)]  # the easiest to attack first
    easier_than: dict[str, list[str]]
    difference: Number  # of the first and the last
    allowed: Span | None  # what their intervals leave to it, wider than a 95 % interval; None without them
    general: bool  # said of architectures, not of these models alone: there are trainings enough
    pairs: Count  # of a NAS-designed and a hand-made architecture; 0 where no sign was published
    agree: Count  # of these with the published sign
    against: Count
    accuracy_gap: AccuracyGap | None
    unlike: str = ""  # in what their trainings differ, as a clause
    saturated: list[Saturation] = Field(default=[])  # of these figures
    # Whether this leaves the first and the last undecided.
    at_the_end: bool = False

    @model_validator(mode="after")
    def _of_those_that_are_ranked(self) -> Self:
        ranked = set(self.ranked)
        gap = () if self.accuracy_gap is None else self.accuracy_gap.architectures
        easier = {name for names in self.easier_than.values() for name in names}
        others = {*easier, *gap, *(one.architecture for one in self.saturated)} - ranked
        if len(ranked) != len(self.ranked) or self.easier_than.keys() != ranked or others:
            raise ValueError("each architecture once in `ranked`, and no other elsewhere")
        return self

    @property
    def decided(self) -> bool:
        """Whether the first is easier to attack than the last."""
        return self.ranked[-1] in self.easier_than[self.ranked[0]]

    def tied(self, name: str) -> list[str]:
        """Those that are neither easier nor harder to attack than this one, in the order of the ranks."""
        return [
            other
            for other in self.ranked
            if other != name and other not in self.easier_than[name] and name not in self.easier_than[other]
        ]


class Adjusted(Plain):
    """A headline figure of one architecture, a confounder of it, and what is left without the confounder."""

    architecture: str
    raw: Span
    confounder: Span
    adjusted: Span
    n: Count


class Adjustment(Plain):
    """A family's headline beside a confounder, architecture by architecture, in the order of their ranks."""

    family: str
    confounder: str  # in words, as in a sentence
    adjusted: str
    values: Annotated[list[Adjusted], Field(min_length=1)]
    difference: Span  # of the adjusted figures of the first and the last
    # What becomes of the order of the first and the last: it stays, is turned round, or cannot be told.
    finding: Literal["holds", "reversed", "unclear"]


class ArchitectureValue(Plain):
    """A family's headline measure of one architecture, the mean over its trainings."""

    architecture: str
    group: str
    value: Number
    models: Count  # trainings behind it


class GroupTest(Plain):
    """What the statistics say of two groups of architectures; see `stats.two_groups` for each of them."""

    difference: Span  # NAS minus hand-made, with Welch's interval
    p: Probability  # of the permutation test, two-sided
    p_holm: Probability  # the same, corrected for the families tested
    smallest_p: Probability  # that the test could have given
    exact: bool  # every split was looked at
    cliffs_delta: Span
    # Found with power .8 at the level that the correction asks of the smallest p; None: no difference could be.
    detectable_difference: Number | None
    families: Count  # tested in this study
    # On the published sign, by p_holm; without one, whether the groups differ.
    finding: Literal["supports", "contradicts", "neither", "differs"]


class GroupComparison(Measured):
    """NAS-designed against hand-made architectures by one family's headline measure; higher is worse to defend.

    The unit is the architecture. Random and custom cells are among `values` and in neither group. Where no test
    could be made, `test` is None and `why` says why not.
    """

    values: list[ArchitectureValue]
    n_nas: Count  # architectures
    n_manual: Count
    n_models: Count  # trainings behind both groups
    means: dict[str, Number]  # over the architectures of each group that has any
    accuracy_gap: Number | None  # mean clean test accuracy, NAS minus hand-made
    unlike: str = ""  # in what the trainings differ, as a clause
    unequal: bool  # the gap is so wide that a difference may come from it alone
    published: Literal["higher", "lower"] | None  # the sign of the difference that was published
    published_size: str  # in words; may be empty
    test: GroupTest | None = None
    why: str = ""

    @property
    def p(self) -> float | None:
        """Two-sided and not corrected; None where no test was made."""
        return None if self.test is None else self.test.p

    def of_group(self, group: str) -> list[ArchitectureValue]:
        """The values of one group: `nas`, `manual`, `random` or `custom`."""
        return [value for value in self.values if value.group == group]


class BesideRandom(Measured):
    """Searched cells beside random ones of the same space, by clean accuracy or a family's headline measure.

    The unit is the architecture, the mean over its trainings. `difference` (searched minus random) is None where the
    study has one of each.
    """

    method: str
    objectives: str = ""  # several, by which the search selected; empty: accuracy alone
    levers: str = ""  # that were pulled; empty: the search is as published
    space: str
    searched: Annotated[list[ArchitectureValue], Field(min_length=1)]
    random: Annotated[list[ArchitectureValue], Field(min_length=1)]
    means: tuple[Number, Number]  # searched, random
    difference: Span | None
    finding: Literal["higher", "lower", "undecided"]  # by its interval


Part = Literal["topology", "convergence", "gradients", "smoothness", "vulnerability", "control"]


class Variable(Plain):
    """One figure for each architecture, the mean over its trainings: what claims and scatter plots are made of."""

    key: str
    title: str  # in words, as in a sentence
    part: Part
    # The end of the scale where the chain puts architectures found by search; None: nothing was published.
    favoured: Literal["higher", "lower"] | None
    unit: str
    metric: str
    values: dict[str, Number]  # by architecture
    why: str = ""  # no claim can be tested by it


ClaimKind = Literal["group", "correlation", "intervention"]
ClaimFinding = Literal["supported", "contradicted", "undecided"]


class Claim(Plain):
    """One link of the published chain, tested. The unit is the architecture.

    - `group`: how much higher `effect` is for NAS-designed architectures (`cause`) than for `other` ones;
    - `correlation`: Spearman's rank correlation between `cause` and `effect` over cells;
    - `intervention`: how much a rewiring of the cell (`cause`: "deepen", "drop_skips", "both") changes `effect`.

    `estimate` is None where nothing could be estimated; `why` then says why not.
    """

    kind: ClaimKind
    cause: str  # key of a Variable; "nas"; or a rewiring
    effect: str  # key of a Variable
    other: str = ""  # the group that NAS is compared with: "manual" or "random"
    sample: str  # which architectures, in words: "random cells"
    predicted: Literal["higher", "lower"]  # by the talk: the sign of the difference or of the correlation
    estimate: Span | None = None
    partial: Span | None = None  # the correlation with accuracy and FLOPs held fixed
    partial_p: Probability | None = None  # of the partial correlation, two-sided and not corrected
    everywhere: Number | None = None  # the correlation over all cells of the study, of whatever origin
    n_everywhere: Count = 0  # how many these are
    n: Count
    p: Probability | None = None
    p_holm: Probability | None = None  # corrected for the claims of the same kind and link
    tested: Count = 0  # claims that Holm's correction counts, this one among them
    detectable: Number | None = None  # the smallest true effect found with power .8; None: none could be
    finding: ClaimFinding = "undecided"
    unlike: str = ""  # in what the trainings of its architectures differ, as a clause
    why: str = ""


# What a link of the chain comes to: "divided" where its decided claims disagree.
Outcome = Literal["supported", "contradicted", "divided", "mostly undecided", "undecided", "not tested"]


class LinkVerdict(Plain):
    """What the claims of one link of the chain come to."""

    name: str
    claims: list[Count]  # positions in the results' claims
    supported: Count
    contradicted: Count
    undecided: Count
    outcome: Outcome
    in_part: bool  # it stands on less than half of the claims


# How a difference was paired, which decides what its interval is for: other images and trainings, other images alone,
# other trainings alone; or not at all, as the two differ in nothing or in the same for all pairs.
Pairing = Literal["images and seeds", "images", "seeds", "independent"]
Drop = Literal["within", "unclear", "exceeds", "not measured"]
# What a remedy comes to.
Advice = Literal["recommended", "promising", "too costly", "cost unknown", "no help", "not measured"]


# What a difference says by its interval; `higher` and `lower` where nobody knows which of them is worse.
Finding = Literal["worse", "better", "higher", "lower", "undecided", "same"]


class Effect(Measured):
    """What a remedy changed: one figure of the hardened model, minus the same figure of its original."""

    before: Span
    after: Span
    difference: Span
    n: Count  # pairs: images x seeds, images or seeds; the smaller n where nothing could be paired
    how: Pairing
    p: Probability  # two-sided, not corrected
    p_holm: Probability | None = None  # corrected for all headlines of the same original; None: no headline
    certain: bool = False  # `p_holm` is small enough
    finding: Finding  # by the interval of the difference
    rows: tuple[Count, Count] | None = None  # positions in the results' rows, before and after
    headline: bool = True  # whether the family is judged by it; other figures are shown and decide nothing
    rank: Count = 0  # of a headline: of the original's remedies, 0 gains the defender most
    # Of a rewiring in full: what was published of NAS-designed models, undone; None: nothing to undo.
    expected: Literal["better", "worse"] | None = None
    agrees: bool | None = None  # with what is expected; None: undecided, or nothing is


class Remedied(Plain):
    """An architecture before and after one remedy. `verdicts.remedies` says how it is judged."""

    original: str
    variant: str  # name of the hardened architecture; the original's own for a remedy of its answers
    remedy: str  # "deepen", "trades", "rounded_answers", ...
    kind: RemedyKind
    scope: str = ""  # of a rewiring: "normal", "reduction", "all"
    dose: Count | None = None  # of a rewiring: how many nodes or skips of each cell
    most: Count | None = None  # the full dose
    parameters: tuple[Count, Count] | None = None  # before and after
    flops: tuple[Count, Count] | None = None  # of an image
    accuracy: Effect | None = None
    effects: list[Effect] = Field(default=[])  # of each family that was measured, its headline first
    max_drop: Number  # of the accuracy, a fraction: what a recommended remedy may cost
    drop: Drop  # whether it costs no more: for certain; as far as was seen; no; not measured
    # Families against which it helps for certain, at no more than `max_drop`.
    recommended: list[str] = Field(default=[])
    # Families against which it seems to help, or at a price that is not clear.
    promising: list[str] = Field(default=[])
    general: bool = True  # said of other trainings as well: there are enough of each
    advice: Advice = "not measured"

    @property
    def decisive(self) -> list[Effect]:
        """The effects by which it is judged, one a family."""
        return [effect for effect in self.effects if effect.headline]

    @property
    def full(self) -> bool:
        """Whether this is the whole remedy."""
        return self.dose == self.most


class Front(Plain):
    """What no other remedy of one original beats in both clean accuracy and harm by one family's headline."""

    original: str
    family: str
    remedies: list[Count]  # that were compared, with the original: positions in the results' remedies
    original_unbeaten: bool
    unbeaten: list[Count]  # of these
