"""What users bring, models and weights, is tried before a study begins: what fails is bad input, no failed task."""

import logging
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from nasaudit import errors
from nasaudit.errors import InputError, ModelError, StoreError
from nasaudit.planning.plan import Plan
from nasaudit.running.executors.base import Died, Event, Executor, Finished, Halted, Job, Overran
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import TrialTask
from nasaudit.store.artefacts import NOTES
from nasaudit.store.records import Problem

POLL = 0.5  # seconds
_log = logging.getLogger(__name__)


def try_models(planned: Plan, make_executor: Callable[[], Executor]) -> None:
    """Try each model and each file of weights once; an executor is made only if there is any.

    What was done to make weights fit is logged.

    Raises:
        InputError: a model fails or ends its process, or weights do not fit.
        StoreError: the disk is full.
    """
    victims = ((victim.architecture, victim.weights) for victim in planned.victims)
    trials = [pair for pair in dict.fromkeys(victims) if pair[0].model is not None or pair[1] is not None]
    if not trials:
        return
    gradients = _gradients(planned.study)
    with (
        tempfile.TemporaryDirectory(prefix="nasaudit-trial-") as folder,
        closing(make_executor()) as executor,
    ):
        for number, (architecture, weights) in enumerate(trials):
            trial = TrialTask(architecture=architecture, weights=weights, **gradients)
            job = Job(trial, Path(folder) / str(number))
            job.folder.mkdir()
            match _outcome(job, executor):
                case Finished(record=record) if record.problem is not None:
                    raise _as_input_error(architecture.name, record.problem)
                case Died(reason=reason):
                    raise ModelError(f"{architecture.name}: ends the process that tries it: {reason}")
                case Overran(seconds=seconds, stack=stack):
                    where = (
                        f"; it is at {stack.splitlines()[1].strip()}" if len(stack.splitlines()) > 1 else ""
                    )
                    raise ModelError(
                        f"{architecture.name}: a trial of it takes longer than {seconds:g} seconds{where}; "
                        "allow more (--task-timeout), or end what hangs"
                    )
                case Halted(message=message):
                    raise StoreError(message)
            notes = job.folder / NOTES
            for note in notes.read_text(encoding="utf-8").splitlines() if notes.exists() else ():
                _log.warning("note: %s", note)


def _gradients(study: StudySpec) -> dict[str, tuple[str, ...]]:
    """The names of what takes gradients, by what it takes them."""
    backdoors = tuple(attack.name for attack in study.attacks if attack.family == "backdoor")
    evasion = tuple(
        attack.name
        for attack in study.attacks
        if attack.threat_model == "white_box" and attack.family != "backdoor"
    )
    by = {
        way: tuple(
            analysis.name for analysis in study.analyses if analysis.by == way and not analysis.needs_history
        )
        for way in ("pixels", "weights")
    }
    return {
        "by_pixels": tuple(dict.fromkeys(evasion + by["pixels"])),
        "by_weights": tuple(dict.fromkeys(backdoors + by["weights"])),
    }


def _outcome(job: Job, executor: Executor) -> Event:
    outcome: list[Event] = []

    def keep(event: Event) -> None:
        if isinstance(event, Finished | Died | Overran | Halted):
            outcome.append(event)

    executor.submit(job)
    while not outcome:
        executor.pump(keep, POLL)
    return outcome[0]


def _as_input_error(name: str, problem: Problem) -> InputError:
    """Errors of ours say all that is to be said; another one is told with its type."""
    ours = issubclass(getattr(errors, problem.type, Exception), errors.NasauditError)
    return InputError(
        problem.message if ours else f"{name}: cannot be used: {problem.type}: {problem.message}"
    )
