"""What a sampled search asks of a child: its training, and the attacks and analyses that judge it. No torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nasaudit.errors import SpecError
from nasaudit.planning.experiments import EXPERIMENTS, Build, analysis
from nasaudit.planning.stages import Outcome
from nasaudit.spec.attacks import AttackSpec, DataFacts
from nasaudit.spec.data import DataSpec
from nasaudit.spec.searches import SampledSpec
from nasaudit.spec.searches.objectives import ACCURACY, OBJECTIVES
from nasaudit.spec.tasks import Task, TrainTask


@dataclass(frozen=True)
class Trial:
    """The tasks of a child.

    Attributes:
        training: brief.
        measured_by: the task that has the figure of each objective, in their order.
    """

    training: TrainTask
    measured_by: Mapping[str, Task]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Each once, the training first."""
        return tuple(dict.fromkeys((self.training, *self.measured_by.values())))

    def objectives(self, outcomes: Mapping[Task, Outcome]) -> dict[str, float] | None:
        """What is to be minimised, by name; None where a task of the child failed."""
        figures = {}
        for name, task in self.measured_by.items():
            outcome, objective = outcomes[task], OBJECTIVES[name]
            if outcome.record is None or outcome.why:
                return None
            if name == ACCURACY:
                # Without validation images, as under `paper`, the authors judged by the test images.
                held_back = self.training.data.validation_fraction > 0
                metric = objective.metric if held_back else "clean_accuracy"
                figures[name] = 1 - outcome.record.measured(metric).value
            else:
                figures[name] = outcome.record.measured(objective.metric, **objective.setting).value
        return figures


def judging_data(data: DataSpec, spec: SampledSpec) -> DataSpec:
    """The images of the children: attacked and counted are those of validation, as test images are for the audit.

    Where there are none, as under `paper`, the test images; and a child whose accuracy alone counts is trained on the
    very data of the study, as `validation_accuracy` is measured beside.
    """
    if not spec.secure or not data.validation_fraction:
        return data
    return data.model_copy(update={"judged_on": "validation"})


def trial(training: TrainTask, spec: SampledSpec, build: Build) -> Trial:
    """The tasks of a child, given its training."""
    measured_by: dict[str, Task] = {}
    for name in spec.objectives:
        measure = OBJECTIVES[name].measured_by
        if measure is None:
            measured_by[name] = training
        elif isinstance(measure, AttackSpec):
            measured_by[name] = EXPERIMENTS[measure.family](training, measure, build)
        else:
            task = analysis(training, measure, (training,))
            assert task is not None
            measured_by[name] = task
    return Trial(training, measured_by)


def check_objectives(spec: SampledSpec, facts: DataFacts, field: str) -> None:
    """Refuse objectives whose attacks this data cannot bear.

    Args:
        spec: of the search.
        facts: of the children's data.
        field: path of the spec.

    Raises:
        SpecError: it names the objective, and what the data would need.
    """
    for name, attack in _attacks(spec):
        try:
            attack.check(facts)
        except SpecError as error:
            where = f"{field}.objectives ({name}: {error.field})"
            expected = (
                f"{error.expected}; children are attacked on the {facts.sizes['test']} validation images"
            )
            raise SpecError(where, expected, error.got) from error


def _attacks(spec: SampledSpec) -> Iterator[tuple[str, AttackSpec]]:
    for name in spec.objectives:
        measure = OBJECTIVES[name].measured_by
        if isinstance(measure, AttackSpec):
            yield name, measure
