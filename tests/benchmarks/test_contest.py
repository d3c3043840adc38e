"""A row of the table of speeds: its ratio, and that sides whose work differs make none."""

import pytest
from benchmarks.speed.contest import Contest, OtherWorkError, within


class Clock:
    """Seconds that only the sides let pass."""

    def __init__(self):
        self.now = 0.0

    def side(self, seconds, result):
        taken = iter(seconds)

        def work():
            self.now += next(taken)
            return result

        return work


def contest(ours, theirs, results=(0.5, 0.5), target=2.0):
    clock = Clock()
    return Contest(
        "a workload",
        "a peer",
        target,
        clock.side(ours, results[0]),
        clock.side(theirs, results[1]),
        lambda mine, other: within("ASR", mine, other, 0.005),
        clock=lambda: clock.now,
    )


def test_a_row_is_the_median_of_the_ratios_of_turns():
    row = contest([1.0, 2.0, 1.0], [2.0, 5.0, 4.0]).row()
    assert row[2:8] == ("1.00", "", "4.00", "2.50 (2.00 to 4.00)", "2", "yes")
    assert row[8] == "ASR 0.500 and 0.500"
    assert contest([1.0], [1.9]).row(1)[7] == "no"


def test_sides_that_time_themselves_are_believed():
    own = Contest("w", "p", 1.0, lambda: 4.0, lambda: 6.0, lambda *_: "", seconds=lambda taken: taken)
    assert own.row(1)[2:6] == ("4.00", "", "6.00", "1.50 (1.50 to 1.50)")


@pytest.mark.parametrize("theirs", [0.506, float("nan")])
def test_a_side_that_did_something_else_is_no_peer(theirs):
    with pytest.raises(OtherWorkError, match=r"which differ by more than 0\.005"):
        contest([1.0], [2.0], results=(0.5, theirs)).row(1)


def test_what_nobody_could_leave_out_is_timed_beside():
    clock = Clock()
    ours, theirs, bare = (clock.side([seconds], 0.0) for seconds in (2.0, 6.0, 1.5))
    row = Contest("w", "p", 1.0, ours, theirs, lambda *_: "", clock=lambda: clock.now, bare=bare).row(1)
    assert row[2:6] == ("2.00", "1.50", "6.00", "3.00 (3.00 to 3.00)")
