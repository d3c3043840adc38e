"""The work of the analysis `convergence`: from the history that a training left to its measurements."""

import json
from typing import cast

from nasaudit.analysis.convergence.speed import convergence
from nasaudit.measure.estimate import Measurement
from nasaudit.spec.analyses import ConvergenceSpec
from nasaudit.spec.tasks import VictimAnalysisTask
from nasaudit.store.artefacts import HISTORY
from nasaudit.store.workspace import Workspace


def measure_convergence(task: VictimAnalysisTask, workspace: Workspace) -> list[Measurement]:
    """How fast a victim learned: `loss_area`, `steps_to_accuracy` for each threshold, and `early_accuracy`."""
    _, folder = workspace.find(task.victim)
    history = json.loads((folder / HISTORY).read_text())
    spec = cast(ConvergenceSpec, task.analysis)
    return convergence(spec, history["loss"], history["accuracy"], history["images_per_step"])
