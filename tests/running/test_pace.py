"""How long tasks take: what is learned of a machine, a schedule played through, and real audits played again."""

import math

import pytest
from replay import AUDITS, replay

from nasaudit.running.pace import Pace, Piece, makespan


def piece(name: str, expected: float = 10.0, kind: str = "training", arch: str = "darts", needs=()) -> Piece:
    return Piece(name, kind, arch, expected, tuple(needs))


def test_a_machine_that_is_slow_is_slow_for_everything() -> None:
    pace = Pace()
    assert pace.seconds(piece("a")) == 10
    pace.learn(piece("a"), 50.0)
    assert pace.seconds(piece("b")) == pytest.approx(50, rel=0.05)
    assert pace.seconds(piece("c", kind="pgd", arch="resnet")) == pytest.approx(50, rel=0.25)


def test_a_kind_that_takes_longer_is_learned_by_kind_and_an_architecture_by_architecture() -> None:
    pace = Pace()
    for seed in range(6):
        for arch, slow in (("darts", 3.0), ("resnet", 1.0)):
            for kind, dear in (("training", 1.0), ("pgd", 4.0)):
                if (kind, arch) != ("pgd", "darts"):
                    pace.learn(piece(f"{seed}{arch}{kind}", kind=kind, arch=arch), 10 * slow * dear)
    # Never seen together.
    assert pace.seconds(piece("new", kind="pgd", arch="darts")) == pytest.approx(120, rel=0.25)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_times_that_are_none_say_nothing(seconds: float) -> None:
    pace = Pace()
    pace.learn(piece("a"), seconds)
    assert (pace.measured, pace.seconds(piece("a"))) == (0, 10)


def test_a_schedule_counts_workers_that_idle() -> None:
    pieces = [piece("long", 60), *(piece(f"short {number}", 10) for number in range(3))]

    def seconds(one: Piece) -> float:
        return one.expected

    assert makespan(pieces, seconds, {}, 1) == 90
    assert makespan(pieces, seconds, {}, 2) == 60
    chain = [piece("a", 5), piece("b", 5, needs=["a"]), piece("c", 5, needs=["b", "elsewhere"])]
    assert makespan(chain, seconds, {}, 8) == 15
    assert makespan(chain, seconds, {"a": 2.0}, 8) == 12
    assert makespan([], seconds, {}, 2) == 0


@pytest.mark.parametrize("audit", sorted(path.name for path in AUDITS.iterdir()))
def test_the_time_left_is_less_than_a_quarter_of_the_whole_off_from_the_first_tenth_on(audit: str) -> None:
    """Recorded where nothing else ran: `make audit`, and audits of digits with one worker and with two."""
    assert (AUDITS / audit).stat().st_size < 100_000
    moments = [moment for moment in replay(audit) if moment.now > 0.1 * moment.whole]
    assert len(moments) > 100
    assert max(abs(moment.error) for moment in moments) < 0.25
