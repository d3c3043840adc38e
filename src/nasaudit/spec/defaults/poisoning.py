"""What `poisoning` stands for."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import GradientMatchingSpec, LabelFlipSpec, PoisoningSpec
from nasaudit.spec.tasks import Protocol


def poisoning(protocol: Protocol, scale: Scale) -> tuple[PoisoningSpec, ...]:
    """The poisoning attacks of a protocol."""
    if protocol == "paper":
        return (LabelFlipSpec(epochs=50),)
    if scale == "paper":
        return (LabelFlipSpec(), published_gradient_matching())
    return (LabelFlipSpec(), GradientMatchingSpec())


def published_gradient_matching() -> GradientMatchingSpec:
    """The setting of Geiping et al. on CIFAR10, for five targets with their budget of 1 % each."""
    return GradientMatchingSpec(fractions=(0.05,), targets=5, steps=250, restarts=8)
