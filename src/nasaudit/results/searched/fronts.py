"""Searches that are to be secure beside plain ones, as verdicts; `verdicts.searched` makes them."""

from typing import Annotated, Literal

from pydantic import Field

from nasaudit.results.base import Measured, Number, Plain, Span
from nasaudit.results.verdict_models import ArchitectureValue


class BesidePlain(Measured):
    """Cells of searches that are to be secure beside those of plain ones; otherwise as `BesideRandom`."""

    secure: Annotated[list[ArchitectureValue], Field(min_length=1)]
    plain: Annotated[list[ArchitectureValue], Field(min_length=1)]
    means: tuple[Number, Number]  # secure, plain
    difference: Span | None
    finding: Literal["higher", "lower", "undecided"]


class PulledLevers(Plain):
    """A one-shot search with levers beside the same one as published: of the same seeds, epochs and space."""

    method: str
    space: str
    levers: str  # e.g. "skip_weight 0.5, inner_steps 2"
    pairs: Annotated[list[tuple[str, str]], Field(min_length=1)]  # architectures: with levers, without
    beside_plain: list[BesidePlain]  # clean accuracy and every family


class AuditedFront(Plain):
    """What cells reach together in the full audit.

    `hypervolume` is the share of the box between 0 and the reference that some cell dominates; its ends have every
    figure at the worse and at the better end of its 95 % interval.
    """

    search: str  # the entry of the study; "random" for random cells
    cells: Annotated[list[str], Field(min_length=1)]
    unbeaten: list[str]  # of these, by these
    hypervolume: Span


class FrontPair(Plain):
    """The front of a search by several objectives beside that of the same search by accuracy alone, of equal cost."""

    secure: str
    plain: str
    # Of the secure front, those that a cell of the plain one beats in all figures, and that it did not find itself.
    secure_beaten: list[str]
    plain_beaten: list[str]  # the other way round
    dominated: bool  # the whole secure front is beaten


class SearchedFronts(Plain):
    """The fronts of searches by the same objectives, as the full audit measures them: less is better everywhere."""

    method: str
    space: str
    objectives: str
    measures: Annotated[list[str], Field(min_length=2)]  # in words, in the order of `reference` and `points`
    reference: list[Number]  # of the hypervolume: 1 of shares, 1.1 times the largest of sizes
    points: dict[str, list[Span]]  # by architecture
    unbeaten: list[str]  # of all of these, by these
    fronts: list[AuditedFront]
    pairs: list[FrontPair]
    beside_plain: list[BesidePlain] = Field(default=[])  # clean accuracy and every family
    hypervolume: Span | None  # secure minus plain, mean over the pairs with Student's interval
