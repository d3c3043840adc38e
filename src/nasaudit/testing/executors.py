"""The conformance suite of executors: what every one of them must keep, inherited by its test.

    class TestMyExecutor(ExecutorConformance):
        def executor(self, context: RunContext, devices: Sequence[str]) -> Executor:
            return MyExecutor(context, devices)

Pytest runs the inherited tests. Say `processes = False` of an executor that does its jobs in the process that asks.
"""

import os
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nasaudit.running.executors.base import (
    Died,
    Event,
    Executor,
    Finished,
    Halted,
    Job,
    Printed,
    Progressed,
    RunContext,
    Started,
)
from nasaudit.testing.chores import FILE, HEARD, Chore


class ExecutorConformance(ABC):
    """Rules of `Executor`, with jobs that take no time."""

    processes = True  # jobs run elsewhere, and the death of one is news
    patience = 60.0  # seconds until a job that does not end is an error

    @abstractmethod
    def executor(self, context: RunContext, devices: Sequence[str]) -> Executor:
        """A new executor, with a slot for each device."""

    @contextmanager
    def opened(self, folder: Path, slots: int = 2) -> Iterator[Executor]:
        """An executor whose store is in this folder."""
        with closing(self.executor(RunContext(folder / "store", folder), ("cpu",) * slots)) as executor:
            yield executor

    def run(
        self,
        executor: Executor,
        folder: Path,
        *chores: Chore,
        hear: Callable[[Event], object] = lambda event: None,
    ) -> list[Event]:
        """Do the chores, as many at once as there are slots; all that was said of them, in order."""
        waiting, events, until = list(chores), list[Event](), time.monotonic() + self.patience

        def handle(event: Event) -> None:
            events.append(event)
            hear(event)

        while len(_ends(events)) < len(chores):
            while waiting and len(chores) - len(waiting) - len(_ends(events)) < executor.slots:
                executor.submit(_job(waiting.pop(0), folder))
            executor.pump(handle, 0.2)
            assert time.monotonic() < until, f"expected an end of every job, got {events}"
        return events

    def test_every_job_starts_once_ends_once_and_leaves_its_record(self, tmp_path: Path) -> None:
        """More jobs than slots: each with its own record and file."""
        chores = {chore.digest(): chore for chore in (Chore(number=k) for k in range(5))}
        with self.opened(tmp_path) as executor:
            events = self.run(executor, tmp_path, *chores.values())
            executor.pump(events.append, 0.0)  # nothing comes after
        for kind in (Started, Finished):
            assert Counter(event.digest for event in events if isinstance(event, kind)) == Counter(
                list(chores)
            )
        for end in _ends(events):
            assert isinstance(end, Finished)
            number = chores[end.digest].number
            assert (end.record.digest, end.record.state) == (end.digest, "ok")
            assert end.record.measured("number").value == number
            assert (tmp_path / end.digest / FILE).read_text() == str(number)

    def test_a_job_is_announced_before_it_reports_and_ends(self, tmp_path: Path) -> None:
        """Started, then its progress in [0,1], then its end."""
        with self.opened(tmp_path) as executor:
            events = self.run(executor, tmp_path, *(Chore(number=k) for k in range(3)))
        for digest in {event.digest for event in events}:
            of_job = [event for event in events if event.digest == digest]
            assert [type(of_job[0]), type(of_job[-1])] == [Started, Finished]
            reports = of_job[1:-1]
            assert reports, "expected progress between start and end"
            assert all(isinstance(report, Progressed) and 0 <= report.done <= 1 for report in reports)

    def test_a_job_that_fails_is_a_record_and_the_others_go_on(self, tmp_path: Path) -> None:
        """Its error is in the record, with the traceback."""
        chores = (Chore(number=7, trouble="fail"), Chore(number=8), Chore(number=9))
        with self.opened(tmp_path) as executor:
            events = self.run(executor, tmp_path, *chores)
        records = {end.digest: end.record for end in _ends(events) if isinstance(end, Finished)}
        failed, *others = (records[chore.digest()] for chore in chores)
        assert failed.problem is not None
        assert (failed.state, failed.problem.type) == ("failed", "ValueError")
        assert failed.problem.message == "chore 7 cannot be done"
        assert "chores.py" in failed.problem.traceback
        assert [record.state for record in others] == ["ok", "ok"]

    def test_what_a_job_prints_is_told_while_it_runs_and_at_its_end(self, tmp_path: Path) -> None:
        """Of both streams; and it is that job's, of no other one after it."""
        loud = Chore(number=int(min(self.patience, 10)), trouble="murmur")
        said = [f"chore {loud.number} {what}" for what in ("begins", "goes on")]
        told: list[Event] = []

        def hear(event: Event) -> None:
            told.append(event)
            if isinstance(event, Printed) and all(line in event.words for line in said):
                (tmp_path / event.digest / HEARD).touch()

        with self.opened(tmp_path, slots=1) as executor:
            events = self.run(executor, tmp_path, loud, Chore(number=3), hear=hear)
        assert (tmp_path / loud.digest() / HEARD).exists(), "expected all that was printed while the job runs"
        ends = {end.digest: end for end in _ends(events) if isinstance(end, Finished)}
        assert all(line in ends[loud.digest()].words for line in said)
        assert ends[Chore(number=3).digest()].words == ""
        assert {event.digest for event in told if isinstance(event, Printed)} == {loud.digest()}
        kinds = [type(event) for event in told if event.digest == loud.digest()]
        assert kinds.index(Started) < kinds.index(Printed)
        assert kinds[-1] is Finished

    def test_a_full_disk_stops_the_run_and_is_no_record(self, tmp_path: Path) -> None:
        """Every other job would meet it too."""
        with self.opened(tmp_path) as executor:
            (end,) = _ends(self.run(executor, tmp_path, Chore(trouble="full disk")))
        assert isinstance(end, Halted)

    def test_there_are_no_more_jobs_at_once_than_slots(self, tmp_path: Path) -> None:
        """One too many is refused, and the ones before are done all the same."""
        with self.opened(tmp_path) as executor:
            for number in range(executor.slots):
                executor.submit(_job(Chore(number=number), tmp_path))
            with pytest.raises(RuntimeError, match="slot"):
                executor.submit(_job(Chore(number=99), tmp_path))

    def test_waiting_for_nothing_ends_in_time(self, tmp_path: Path) -> None:
        """`pump` without a job says nothing."""
        events: list[Event] = []
        with self.opened(tmp_path) as executor:
            start = time.monotonic()
            executor.pump(events.append, 0.1)
            assert time.monotonic() - start < 5
        assert events == []

    def test_a_dead_worker_is_told_with_the_reason_and_its_slot_is_free_again(self, tmp_path: Path) -> None:
        """Whatever killed it."""
        if not self.processes:
            return
        with self.opened(tmp_path, slots=1) as executor:
            events = self.run(executor, tmp_path, Chore(trouble="die"), Chore(number=1))
        death, after = _ends(events)
        assert isinstance(death, Died)
        assert death.digest == Chore(trouble="die").digest()
        assert death.reason
        assert isinstance(after, Finished)

    def test_closing_leaves_no_process_behind_and_waits_for_no_job(self, tmp_path: Path) -> None:
        """Not an idle one, and not one in the middle of a job."""
        if not self.processes:
            return
        events: list[Event] = []
        with self.opened(tmp_path, slots=2) as executor:
            executor.submit(_job(Chore(number=1), tmp_path))
            executor.submit(_job(Chore(trouble="hang"), tmp_path))

            def both_at_work() -> bool:
                executor.pump(events.append, 0.1)
                return len({event.digest for event in events if isinstance(event, Progressed)}) == 2

            assert _in_time(both_at_work, self.patience)
            start = time.monotonic()
        assert time.monotonic() - start < 10
        workers = {int(event.text) for event in events if isinstance(event, Progressed)}
        assert os.getpid() not in workers
        assert _in_time(lambda: not any(map(_is_alive, workers)), 5), f"processes {workers} live on"


def _job(chore: Chore, folder: Path) -> Job:
    own = folder / chore.digest()
    own.mkdir(exist_ok=True)
    return Job(chore, own)


def _ends(events: Sequence[Event]) -> list[Finished | Died | Halted]:
    return [event for event in events if isinstance(event, Finished | Died | Halted)]


def _in_time(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
