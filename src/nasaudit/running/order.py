"""In which order tasks run that could run now: the keys by which a schedule takes the smallest first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nasaudit.planning.needs import closure
from nasaudit.running.pace import kind_of
from nasaudit.spec.tasks import Task

Key = tuple[Any, ...]
Order = Callable[[Sequence[Task]], Mapping[str, Key]]


def longest_first(tasks: Sequence[Task]) -> dict[str, Key]:
    """The soonest end of the whole: no long task is left over, with the other workers idle beside it."""
    return {task.digest(): (-task.expected_time,) for task in tasks}


def informative_first(tasks: Sequence[Task]) -> dict[str, Key]:
    """The most that can be compared at any moment, for a run that may end before the whole.

    First what the first seed of all architectures says, then the second's; for each seed the cheapest attack or
    analysis first, on all architectures before the next one begins. What a result needs comes with the first
    result that needs it, and costs what all of it costs.
    """
    needed = {need.digest() for task in tasks for need in task.needs()}
    results = [task for task in tasks if task.digest() not in needed]
    seeds = {seed: rank for rank, seed in enumerate(dict.fromkeys(map(_seed, results)))}
    costs: dict[str, list[float]] = {}
    behind = {task.digest(): closure([task]) for task in results}
    for task in results:
        costs.setdefault(kind_of(task), []).append(_sum(behind[task.digest()]))
    dear = {kind: sum(values) / len(values) for kind, values in costs.items()}
    # Of a task without a seed there is one for all of them: it is the first's.
    ranked = sorted(results, key=lambda task: (seeds[_seed(task)], dear[kind_of(task)], kind_of(task)))
    keys: dict[str, Key] = {}
    for place, task in enumerate(ranked):
        for each in behind[task.digest()]:
            keys.setdefault(each.digest(), (place,))
    return keys


def _seed(task: Task) -> int:
    """That of the training that it is about."""
    seed: int | None = getattr(task, "seed", None)
    victim = getattr(task, "victim", None)
    return seed if seed is not None else -1 if victim is None else _seed(victim)


def _sum(tasks: Iterable[Task]) -> float:
    return sum(task.expected_time for task in tasks)
