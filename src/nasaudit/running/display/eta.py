"""How much longer a task takes, from an exponential moving average of its speed."""

import math


class Eta:
    """Estimates the time left from reports of the work done: a share, or any other unit.

    The speed is averaged with weights that fall off over `memory` seconds: a start that was slow is soon
    forgotten, and one slow moment does not make the estimate jump.

    The time before the first report does not count: it went into imports and loading.

    Args:
        memory: seconds after which a report counts 1/e.
    """

    def __init__(self, memory: float = 20.0):
        self._memory = memory
        self._last: tuple[float, float] | None = None  # time and work of the last report that counted
        self._speed: float | None = None  # work per second

    def update(self, done: float, now: float) -> None:
        """Report the work done at a clock's reading in seconds.

        A report without time or progress since the last one waits.
        """
        if self._last is None:
            self._last = now, done
            return
        elapsed, gained = now - self._last[0], done - self._last[1]
        if elapsed <= 0 or gained <= 0:
            return
        speed = gained / elapsed
        if self._speed is None:
            self._speed = speed
        else:
            weight = 1 - math.exp(-elapsed / self._memory)
            self._speed += weight * (speed - self._speed)
        self._last = now, done

    def left(self, now: float, whole: float = 1.0) -> float | None:
        """Seconds until the whole work is done, or None before there is anything to judge by."""
        if self._last is None or self._speed is None:
            return None
        time, done = self._last
        return max(0.0, (whole - done) / self._speed - (now - time))


def format_seconds(seconds: float | None) -> str:
    """A duration for a person.

    >>> format_seconds(None), format_seconds(5.2), format_seconds(125), format_seconds(7260), format_seconds(1e6)
    ('-', '5 s', '2:05', '2:01:00', '11.6 days')
    """
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole >= 3 * 86_400:
        return f"{whole / 86_400:,.1f} days"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def more_words(expected: int | None) -> str:
    """What is said after a number of known tasks: nothing, or that more will come."""
    if expected is None:
        return ", more to come"
    return f", about {expected} more expected" if expected else ""
