"""How long a task takes, roughly and in no unit: which task runs first and what a study's ETA says hang on it."""

from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import ExtractionSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.tasks import (
    AnalysisTask,
    AttackTask,
    ExtractionTask,
    PoisoningTask,
    PoisonTask,
    Task,
    TrainTask,
)

# Time of an op relative to a 3x3 separable convolution, forward and backward on a CPU core.
OP_TIME = {
    "none": 0.0,
    "skip_connect": 0.1,
    "max_pool_3x3": 0.2,
    "avg_pool_3x3": 0.2,
    "sep_conv_3x3": 1.0,
    "sep_conv_5x5": 1.6,
    "sep_conv_7x7": 2.5,
    "dil_conv_3x3": 0.6,
    "dil_conv_5x5": 1.0,
    "conv_7x1_1x7": 1.2,
}
MANUAL_TIME = 4.0  # a manual family, in the same unit
# What an attack with its default settings costs, in epochs of the victim's training; others cost `OTHER_ATTACK`.
ATTACK_EPOCHS = {
    "pgd": 10.0,
    "fgsm": 1.6,
    "ddn": 2.4,
    "ensemble": 9.0,
    "transfer": 4.0,
    "nes": 3.4,
    "square": 7.0,
    "hop_skip_jump": 5.5,
    "sig": 10.0,
    "loss_threshold": 0.3,
    "gap": 0.3,
    "boundary_distance": 20.0,
    "lira": 1.7,
    "rmia": 2.4,
}
OTHER_ATTACK = 3.0
# The same of an analysis; others are trifles.
ANALYSIS_EPOCHS = {"gradients": 3.5, "smoothness": 6.0, "landscape": 10.0}
CRAFTING = 12.0  # of a poison that is optimised on a model
BUDGET = 6.0  # each surrogate of an extraction
TRIFLE = 0.01  # epochs: what no network is trained or attacked for


def expected_time(task: Task) -> float:
    """How long a task takes, relative to others of its study."""
    match task:
        case TrainTask():
            return task.training.epochs * _epoch(task.architecture) * task.training.expected_time
        case PoisonTask(surrogate=TrainTask() as surrogate):
            return CRAFTING * _epoch(surrogate.architecture)
        case ExtractionTask(attack=ExtractionSpec() as attack):
            budgets = len(attack.budgets or attack.budget_shares)
            return BUDGET * budgets * _epoch(task.surrogate)
        case AttackTask() if not isinstance(task, PoisoningTask):
            return ATTACK_EPOCHS.get(task.attack.name, OTHER_ATTACK) * _epoch(task.victim.architecture)
        case AnalysisTask():
            return ANALYSIS_EPOCHS.get(task.analysis.name, TRIFLE) * _epoch(task.victim.architecture)
    return TRIFLE


def _epoch(architecture: ArchSpec) -> float:
    genotype = architecture.genotype
    return MANUAL_TIME if genotype is None else _cell_time(genotype)


def _cell_time(genotype: Genotype) -> float:
    return sum(OP_TIME[edge.op] for cell in (genotype.normal, genotype.reduction) for edge in cell.edges)
