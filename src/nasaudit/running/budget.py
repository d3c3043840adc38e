"""What a run may still begin, when it has to end before the study does."""

import math
import time
from collections.abc import Callable

from nasaudit.running.pace import Pace, Piece
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record


class Budget:
    """A limit of time, of tasks, of both or of neither. What was begun may end.

    Args:
        seconds: from now on. No task begins that would take longer than what is left of it, by what is known of tasks
            like it; the first ones are judged by what the machine of the expected times takes.
        tasks: so many begin.
        clock: in seconds.
    """

    def __init__(
        self, seconds: float = math.inf, tasks: float = math.inf, clock: Callable[[], float] = time.monotonic
    ):
        self._clock, self._end, self._tasks = clock, clock() + seconds, tasks
        self._timed = seconds < math.inf  # if not, no task's time is worked out
        self._pace = Pace()
        self.refused = False  # whether a task had to be left

    def allows(self, task: Task) -> bool:
        """Whether it may begin; if so, it is taken to."""
        if self._tasks <= 0 or (
            self._timed and self._pace.seconds(Piece.of(task)) > self._end - self._clock()
        ):
            self.refused = True
            return False
        self._tasks -= 1
        return True

    def learn(self, task: Task, record: Record) -> None:
        """A task took its time."""
        if self._timed and record.state == "ok":
            self._pace.learn(Piece.of(task), record.seconds)
