"""Plans in stages: what tasks find decides further tasks, in a run, a resume, a look and a repetition."""

import io
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_stages import CHILDREN, ROUNDS, searched, staged_plan, train
from test_run import Diary, House, count_records, no_executor, processes, serial, wait_until

from nasaudit.errors import MissingRecordError
from nasaudit.planning.stages import Ask, Part, Stage, Steps
from nasaudit.planning.unfolding import Unfolding
from nasaudit.running.display.progress import LiveProgress, PlainProgress
from nasaudit.running.display.tally import Tally
from nasaudit.running.execute import death
from nasaudit.running.status import status_of
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record
from nasaudit.terminal.status import progressed

FIRST = (
    6 + 1 + CHILDREN
)  # tasks that are known at first: two trainings with two measurements each, the search, a round
FOUND = 6  # two trainings of what the search finds, with two measurements each
EVOLVED = (ROUNDS - 1) * CHILDREN + 3
ALL = FIRST + FOUND + EVOLVED


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


class Ledger(Diary):
    """Writes down what became known, too."""

    def begin(self, tasks, cached, expected=0) -> None:
        self.lines.append(("known", f"{len(tasks)} {len(cached)} {expected}"))

    def added(self, tasks, cached, expected) -> None:
        self.lines.append(("known", f"{len(tasks)} {len(cached)} {expected}"))

    def blocked(self, stage: str, reason: str) -> None:
        self.lines.append(("blocked", f"{stage}: {reason}"))


def finish(task: Task) -> Record:
    return death(task, "", 1).model_copy(update={"state": "ok", "problem": None})


@pytest.mark.parametrize("make", [serial, processes])
def test_what_was_found_is_audited_like_what_was_named(house: House, make) -> None:
    planned = staged_plan(house.folder)
    ledger = Ledger()
    results, _ = house.run(planned, make, observer=ledger)
    assert results.failures == []
    assert [spec.name for spec in results.architectures] == ["darts", "vgg", "densenet"]
    by_family = {(row.architecture, row.family) for row in results.rows if row.seed != "all"}
    assert {("vgg", "evasion"), ("vgg", "convergence"), ("densenet", "training")} <= by_family
    assert not any(row.architecture == "nasnet" for row in results.rows)  # its trainings only decided
    assert len(ledger.of("ok")) == ALL
    known = [[int(number) for number in line.split()] for line in ledger.of("known")]
    assert known[0] == [FIRST, 0, FOUND + EVOLVED]
    assert sum(tasks for tasks, _, _ in known) == ALL
    assert known[-1][2] == 0
    modified = (house.out / "results.json").stat().st_mtime_ns
    again, diary = house.run(planned, no_executor)
    assert again == results
    assert diary.lines == []
    assert (house.out / "results.json").stat().st_mtime_ns == modified


def test_what_hangs_on_no_stage_does_not_wait_for_one(house: House) -> None:
    """The round of the evolution and what the search found are under way while the study's own tasks still run."""
    _, diary = house.run(staged_plan(house.folder))
    started = diary.of("started")
    own = max(k for k, label in enumerate(started) if "darts" in label)
    late = [label for label in started[:own] if "vgg" in label or "densenet" in label]
    assert late, started


def test_the_order_in_which_tasks_end_changes_nothing(tmp_path: Path) -> None:
    tables, contents = [], []
    for make in (serial, processes):
        house = House(tmp_path / make.__name__)
        results, _ = house.run(staged_plan(tmp_path / "inputs", lost=41), make)
        tables.append(house.table)
        plain = results.model_dump(mode="json", exclude={"seconds", "environment", "failures"})
        contents.append((json.dumps(plain), list(results.seconds)))
    assert tables[0] == tables[1]
    assert contents[0] == contents[1]


def test_a_search_that_fails_blocks_its_stage_and_nothing_else(house: House) -> None:
    planned = staged_plan(house.folder, search="fail_once")
    ledger = Ledger()
    results, _ = house.run(planned, observer=ledger)
    reason = "needs search by toy, which failed"
    assert ledger.of("blocked") == [f"search by toy: {reason}"]
    assert [(failure.label, failure.type, failure.message) for failure in results.failures] == [
        ("search by toy", "ValueError", "bad luck"),
        ("search by toy", "NeedFailed", reason),
    ]
    assert [spec.name for spec in results.architectures] == ["darts", "densenet"]
    assert sum(flag.kind == "failed_task" for flag in results.flags) == 2
    found = status_of(planned, house.store, house.out)
    assert found.stages[0].state == "blocked"
    assert f"  blocked  search by toy: NeedFailed: {reason}" in progressed(found, verbose=True)
    assert found.expected == 0
    again, diary = house.run(planned, no_executor)
    assert (again, diary.lines) == (results, [])
    results, diary = house.run(planned, mode="retry")
    assert results.failures == []
    assert len(diary.of("ok")) == 1 + FOUND


def test_an_evolution_goes_on_without_a_child_that_failed(house: House) -> None:
    results, diary = house.run(staged_plan(house.folder, lost=41))
    assert diary.of("failed") == ["train nasnet (seed 41)"]
    assert [failure.label for failure in results.failures] == diary.of("failed")
    assert [spec.name for spec in results.architectures] == ["darts", "vgg", "densenet"]
    assert len(diary.of("ok")) == ALL - 1
    assert house.run(staged_plan(house.folder), mode="force")[0].failures == []


def test_a_fault_of_a_stage_is_a_failure_of_the_study_and_the_rest_goes_on(house: House) -> None:
    def faulty() -> Steps:
        yield Ask((train(house.folder, "vgg", 0),))
        raise ZeroDivisionError("nobody is fit")

    planned = replace(staged_plan(house.folder), stages=(Stage("faulty", faulty),))
    results, _ = house.run(planned)
    (failure,) = results.failures
    assert (failure.label, failure.type, failure.message) == ("faulty", "ZeroDivisionError", "nobody is fit")
    assert "in faulty" in failure.traceback
    assert {row.architecture for row in results.rows} == {"darts"}


def test_read_only_and_status_see_what_was_found(house: House) -> None:
    planned = staged_plan(house.folder)
    with pytest.raises(MissingRecordError):
        house.run(planned, no_executor, mode="read-only")
    before = status_of(planned, house.store, house.out)
    assert progressed(before) == (
        f"fake: {FIRST} missing of {FIRST} known tasks, about {FOUND + EVOLVED} more expected"
        "; no run is going on, the same command resumes it"
    )
    assert "  missing  search by toy: waits for search by toy" in progressed(before, verbose=True)
    assert before.as_dict()["expected"] == FOUND + EVOLVED

    class Interrupt(Diary):
        def finished(self, task: Task, record: Record) -> None:
            super().finished(task, record)
            if task.kind == "search":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        house.run(planned, observer=Interrupt())
    between = status_of(planned, house.store, house.out)
    assert [stage.state for stage in between.stages] == ["done", "missing"]
    assert len(between.tasks) >= FIRST + FOUND
    assert between.as_dict()["expected"] == ALL - len(between.tasks)
    with pytest.raises(MissingRecordError):
        house.run(planned, no_executor, mode="read-only")

    results, _ = house.run(planned)
    after = status_of(planned, house.store, house.out)
    assert progressed(after) == f"fake: {ALL} done of {ALL} tasks"
    assert after.as_dict()["stages"] == [
        {"label": stage.label, "state": "done", "why": ""} for stage in planned.stages
    ]
    (house.out / "results.json").unlink()
    assert house.run(planned, no_executor, mode="read-only")[0].rows == results.rows


def test_what_another_study_of_the_store_found_is_not_searched_again(house: House) -> None:
    house.run(staged_plan(house.folder))
    planned = staged_plan(house.folder)
    attack = planned.study.attacks[0]
    ledger = Ledger()
    other = House(house.folder.parent / "other")
    other.context, other.store = house.context, house.store
    study = planned.study.model_copy(update={"name": "other"})
    stages = (Stage("search", searched(house.folder, attack)), planned.stages[1])
    other.run(replace(planned, study=study, stages=stages), no_executor, observer=ledger)
    assert ledger.lines == [("known", f"{ALL} {ALL} 0")]


def start_runner(inputs: Path, out: Path) -> subprocess.Popen[bytes]:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv.pop(1)); "
        "from fake_stages import staged_plan; "
        "from nasaudit.running.executors.base import RunContext; "
        "from nasaudit.running.executors.processes import Processes; from nasaudit.running.run import run_plan; "
        "inputs, out = map(Path, sys.argv[1:]); context = RunContext(out / 'store', inputs); "
        "run_plan(staged_plan(inputs, lost=41, naps=10), out, context, lambda: Processes(context, ('cpu', 'cpu')))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(inputs), str(out)],
        stderr=subprocess.PIPE,
    )


def test_a_run_killed_between_any_two_rounds_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    planned = staged_plan(inputs, lost=41, naps=10)
    calm, stormy = House(tmp_path / "calm"), House(tmp_path / "stormy")
    calm.run(planned)
    rng = random.Random(0)
    interrupted = 0
    for more in (3, 5, 4):
        goal = count_records(stormy) + more
        runner = start_runner(inputs, stormy.out)
        wait_until(lambda r=runner, n=goal: count_records(stormy) >= n or r.poll() is not None, 60)
        time.sleep(rng.uniform(0, 0.05))
        interrupted += runner.poll() is None
        runner.kill()
        runner.communicate()
    assert interrupted == 3
    _, diary = stormy.run(planned)
    assert 0 < len(diary.of("ok")) < ALL
    assert stormy.table == calm.table


def unfolding_of(planned, begin: Callable[[], Steps]) -> Unfolding:
    return Unfolding(replace(planned, tasks=(), stages=(Stage("toy", begin),)), lambda task: None, Path)


def test_a_stage_may_wait_for_some_and_ask_for_others(tmp_path: Path) -> None:
    """Steady state: two children are always under way, and the older one decides the next."""
    planned = staged_plan(tmp_path)
    children = [train(tmp_path, "vgg", seed) for seed in range(4)]
    sent = []

    def steady() -> Steps:
        outcomes = yield Ask((children[0], children[1]), awaited=(children[0],), expected=2)
        sent.append([outcome.task for outcome in outcomes])
        outcomes = yield Ask((children[2],), awaited=(children[1],))
        sent.append([outcome.task for outcome in outcomes])
        return Part(tasks=(children[3],))

    unfolding = unfolding_of(planned, steady)
    assert (len(unfolding.plan.tasks), unfolding.expected) == (2, 2)
    assert unfolding.add(finish(children[1])) == ()
    assert unfolding.add(finish(children[0])) == (children[2], children[3])  # the next wait was over already
    assert sent == [[children[0]], [children[1]]]
    assert unfolding.expected == 0
    assert unfolding.plan.tasks == tuple(children)


def test_a_task_that_cannot_run_is_an_outcome_too(tmp_path: Path) -> None:
    planned = staged_plan(tmp_path)
    attack, victim = planned.tasks[1], planned.tasks[0]
    reasons = []

    def steps() -> Steps:
        (outcome,) = yield Ask((attack,))
        reasons.append((outcome.record, outcome.why))
        return Part()

    unfolding = unfolding_of(planned, steps)
    unfolding.add(death(victim, "gone", 3))
    assert reasons == [(None, f"needs {victim.label()}, which failed")]


def test_the_digest_of_a_plan_covers_what_was_found(tmp_path: Path) -> None:
    planned = staged_plan(tmp_path)
    unfolding = Unfolding(planned, lambda task: None, Path)
    before = unfolding.plan.digest()
    for task in unfolding.plan.tasks:
        if task.label().startswith("train nasnet"):
            unfolding.add(death(task, "gone", 3))
    assert unfolding.plan.digest() != before
    assert Unfolding(planned, lambda task: None, Path).plan.digest() == before


def test_displays_say_that_more_will_come(tmp_path: Path) -> None:
    planned = staged_plan(tmp_path)
    stream = io.StringIO()
    for observer in (PlainProgress(stream), LiveProgress(stream)):
        observer.begin(planned.tasks, [], 12)
        observer.added(planned.tasks[:1], [], None)
        observer.blocked("search", "needs x, which failed")
        observer.end()
    lines = stream.getvalue().splitlines()
    assert lines[:3] == [
        f"{len(planned.tasks)} tasks, 0 of them done before, about 12 more expected",
        "1 further tasks, 0 of them done before, more to come",
        "blocked: search: needs x, which failed",
    ]


def test_the_eta_counts_expected_tasks_like_known_ones_and_survives_new_ones(tmp_path: Path) -> None:
    planned = staged_plan(tmp_path)
    task = planned.tasks[0]
    tally, later = Tally(), Tally()
    tally.add([task], [], 3)
    tally.start(task, 0.0)
    for second in range(1, 11):
        tally.progress(task, second / 20, "", float(second))
    assert tally.share() == pytest.approx(1 / 8)
    assert tally.seconds_left(10.0) == pytest.approx(70, rel=0.05)  # half of one of four in ten seconds
    assert tally.words() == "0 of 1 tasks, about 3 more expected"
    tally.add([task.model_copy(update={"seed": seed}) for seed in (7, 8, 9)], [], 0)
    assert tally.seconds_left(10.0) == pytest.approx(70, rel=0.05)
    tally.end(task, None, 10.0)
    tally.add([task.model_copy(update={"seed": 10})], [], 0)
    assert tally.share() == pytest.approx(1 / 5)
    assert later.share() == 1
