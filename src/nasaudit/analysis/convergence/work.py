"""The work of a ConvergenceTask: from the history that a training left to its measurements."""

import json

from nasaudit.analysis.convergence.speed import convergence
from nasaudit.measure.estimate import Measurement
from nasaudit.spec.tasks import ConvergenceTask
from nasaudit.store.artefacts import HISTORY
from nasaudit.store.workspace import Workspace


def measure_convergence(task: ConvergenceTask, workspace: Workspace) -> list[Measurement]:
    """How fast a victim learned: `loss_area`, `steps_to_accuracy` for each threshold, and `early_accuracy`."""
    _, folder = workspace.find(task.victim)
    history = json.loads((folder / HISTORY).read_text())
    return convergence(history["loss"], history["accuracy"], history["images_per_step"])
