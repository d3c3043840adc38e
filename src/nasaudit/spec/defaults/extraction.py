"""What `extraction` stands for."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import ExtractionSpec, KnockoffSpec
from nasaudit.spec.tasks import Protocol


def extraction(protocol: Protocol, scale: Scale) -> tuple[ExtractionSpec, ...]:
    """The extraction attacks of a protocol."""
    if protocol == "paper":
        return (KnockoffSpec(pool="train"),)
    return (KnockoffSpec(), KnockoffSpec(surrogate="resnet"))
