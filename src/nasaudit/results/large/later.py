"""Rows of results that are too many to be read for the sake of a few: 100,000 tasks leave a million."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast, overload

from nasaudit.results.large.lean import Lean
from nasaudit.results.schema import Flag, Headline, Row, StudyResults
from nasaudit.results.verdict_models import Effect, Remedied, Threat

INDEX = "index"  # the kind of the flag that says that a page does not show all
MANY = 50_000  # rows: of more, results are read without them at first


class LaterRows(Sequence[Row]):
    """All rows of a study, of which those that verdicts rest on are at hand; the others are read when one is wanted.

    Args:
        at_hand: by position.
        count: of all.
        read: all of them.
    """

    def __init__(self, at_hand: Mapping[int, Row], count: int, read: Callable[[], list[Row]]):
        self.at_hand, self._count, self._read = at_hand, count, read
        self._all: list[Row] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, int) and place in self.at_hand:
            return self.at_hand[place]
        return self._everything[place]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._everything)

    @property
    def _everything(self) -> list[Row]:
        if self._all is None:
            lean = Lean()
            self._all = [lean(row) for row in self._read()]
        return self._all


def has_later_rows(results: StudyResults) -> bool:
    """Whether only some of its rows are in memory."""
    return isinstance(cast(object, results.rows), LaterRows)


def rows_at_hand(results: StudyResults) -> Mapping[int, Row]:
    """The rows that are in memory, by position: all of them, where there are not many."""
    rows = cast(Sequence[Row], results.rows)
    return rows.at_hand if isinstance(rows, LaterRows) else dict(enumerate(rows))


def resting_on(results: StudyResults) -> list[int]:
    """The positions of the rows that verdicts rest on, and of the accuracy of each architecture."""
    places = {place for place, row in enumerate(results.rows) if row.seed == "all" and _is_clean(row)}
    for headline in (*results.headlines, *results.headlines_between):
        places.update(headline.positions.values())
    places.update(figure.position for threat in results.threats for figure in threat.figures)
    for remedied in results.remedies:
        for effect in (*remedied.effects, *([remedied.accuracy] if remedied.accuracy else [])):
            places.update(effect.rows or ())
    return sorted(places)


def _is_clean(row: Row) -> bool:
    return row.family == "training" and row.metric == "clean_accuracy"


def in_brief(results: StudyResults) -> StudyResults:
    """The same results with no other rows than those that verdicts rest on: what is shown where there are many."""
    places = sorted(rows_at_hand(results)) if has_later_rows(results) else resting_on(results)
    new = {place: position for position, place in enumerate(places)}

    def headline(one: Headline) -> Headline:
        return one.model_copy(
            update={"positions": {name: new[place] for name, place in one.positions.items()}}
        )

    def threat(one: Threat) -> Threat:
        figures = [each.model_copy(update={"position": new[each.position]}) for each in one.figures]
        return one.model_copy(update={"figures": figures})

    def effect(one: Effect | None) -> Effect | None:
        if one is None or one.rows is None:
            return one
        return one.model_copy(update={"rows": (new[one.rows[0]], new[one.rows[1]])})

    def remedied(one: Remedied) -> Remedied:
        return one.model_copy(
            update={"accuracy": effect(one.accuracy), "effects": [effect(each) for each in one.effects]}
        )

    note = Flag(
        kind=INDEX,
        architectures=(),
        message=f"this page shows the figures that families are judged by; all {len(results.rows):,} figures are in "
        "results.csv and results.json",
    )
    return results.model_copy(
        update={
            "flags": [note, *results.flags],
            "rows": [results.rows[place] for place in places],
            "headlines": [headline(one) for one in results.headlines],
            "headlines_between": [headline(one) for one in results.headlines_between],
            "threats": [threat(one) for one in results.threats],
            "remedies": [remedied(one) for one in results.remedies],
            **{field: [] for field in ("histories", "examples", "curves", "landscapes", "pictures")},
        }
    )
