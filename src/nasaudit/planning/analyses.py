"""What a study makes of an analysis, given a victim: the task that measures it."""

from collections.abc import Callable, Sequence

from nasaudit.spec.analyses import AnalysisSpec, TopologySpec
from nasaudit.spec.tasks import (
    ConvergenceTask,
    GradientsTask,
    LandscapeTask,
    SmoothnessTask,
    Task,
    TopologyTask,
    TrainTask,
)

# (victim, analysis, all trainings of its architecture, the victim among them) -> the task; None: not of this victim.
Make = Callable[[TrainTask, AnalysisSpec, Sequence[TrainTask]], Task | None]


def topology(victim: TrainTask, analysis: AnalysisSpec, trainings: Sequence[TrainTask]) -> Task | None:
    """One task for each architecture: no training changes it."""
    assert isinstance(analysis, TopologySpec)
    return TopologyTask(architecture=victim.architecture, analysis=analysis)


def convergence(victim: TrainTask, analysis: AnalysisSpec, trainings: Sequence[TrainTask]) -> Task | None:
    """Only of a victim that was trained here: weights alone have no history."""
    return None if victim.weights else ConvergenceTask(victim=victim, analysis=analysis)


def gradients(victim: TrainTask, analysis: AnalysisSpec, trainings: Sequence[TrainTask]) -> Task | None:
    """Of every victim."""
    return GradientsTask(victim=victim, analysis=analysis)


def smoothness(victim: TrainTask, analysis: AnalysisSpec, trainings: Sequence[TrainTask]) -> Task | None:
    """Of every victim."""
    return SmoothnessTask(victim=victim, analysis=analysis)


def landscape(victim: TrainTask, analysis: AnalysisSpec, trainings: Sequence[TrainTask]) -> Task | None:
    """Pictures of the first training of an architecture are enough; the second one is where its line leads to."""
    if victim != trainings[0]:
        return None
    return LandscapeTask(victim=victim, analysis=analysis, other=trainings[1] if len(trainings) > 1 else None)


ANALYSES: dict[str, Make] = {
    "topology": topology,
    "convergence": convergence,
    "gradients": gradients,
    "smoothness": smoothness,
    "landscape": landscape,
}
