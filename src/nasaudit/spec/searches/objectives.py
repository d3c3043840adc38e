"""What children may be judged by: figures of which less is better. Each has its cheap attack or analysis here, once.

A vulnerability is the figure by which its family is judged (`verdicts.headlines`), of a cheap attack of that family
on the briefly trained child: so what a search selects by is what the audit of its front measures again, with full
attacks on full trainings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nasaudit.registry import Registry
from nasaudit.spec.analyses import AnalysisSpec, TopologySpec
from nasaudit.spec.attacks import AttackSpec
from nasaudit.spec.attacks.backdoor import BadNetsSpec
from nasaudit.spec.attacks.extraction import FIXED, WHOLE, KnockoffSpec
from nasaudit.spec.attacks.membership import LossThresholdSpec
from nasaudit.spec.attacks.poisoning import LabelFlipSpec
from nasaudit.spec.attacks.white_box import PgdSpec

ACCURACY = "accuracy"


@dataclass(frozen=True)
class Objective:
    """A figure that is to be minimised.

    Attributes:
        title: in words, as in a sentence.
        metric: of the record that has it.
        setting: of the measurement, as far as others of the metric are beside it.
        measured_by: the attack or analysis of a child; None: it is a figure of the training.
    """

    title: str
    metric: str
    setting: Mapping[str, str] = field(default_factory=dict)
    measured_by: AttackSpec | AnalysisSpec | None = None

    @property
    def family(self) -> str:
        """The attacked family, or what is judged beside it: `training`, `size`."""
        if isinstance(self.measured_by, AttackSpec):
            return self.measured_by.family
        return "training" if self.measured_by is None else "size"


OBJECTIVES: Registry[Objective] = Registry("objective", None, Objective)
OBJECTIVES.add(ACCURACY, Objective("share of images that it gets wrong", "validation_accuracy"), "error")
# Half of the default steps, and under half of the images.
OBJECTIVES.add(
    "evasion",
    Objective(
        "area under the security curve",
        "curve_area",
        {"norm": "linf", "goal": "untargeted", "images": "correct"},
        PgdSpec(steps=10, images=200),
    ),
)
_FRACTION = 0.4
OBJECTIVES.add(
    "poisoning",
    Objective(
        "accuracy lost to wrong labels",
        "cad",
        {"fraction": f"{_FRACTION:g}"},
        LabelFlipSpec(fractions=(_FRACTION,)),
    ),
    "poison",
)
OBJECTIVES.add("backdoor", Objective("success rate of the trigger", "asr", {}, BadNetsSpec()))
# A single theft; little is spent on adversarial examples that nobody looks at.
OBJECTIVES.add(
    "extraction",
    Objective(
        "agreement of the stolen model",
        "agreement",
        {"labels": "soft"},
        KnockoffSpec(
            surrogate=FIXED,
            budget_shares=WHOLE,
            batch_size=32,
            epochs=10,
            transfer_images=20,
            transfer_steps=1,
        ),
    ),
)
OBJECTIVES.add("membership", Objective("AUC of finding members", "auc", {}, LossThresholdSpec()))
_SIZE = TopologySpec(images=1)
OBJECTIVES.add("flops", Objective("operations for an image", "flops", {}, _SIZE))
OBJECTIVES.add("parameters", Objective("parameters", "parameters", {}, _SIZE), "params")
