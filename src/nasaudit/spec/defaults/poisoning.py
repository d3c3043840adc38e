"""What `poisoning` stands for."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import LabelFlipSpec, PoisoningSpec
from nasaudit.spec.tasks import Protocol


def poisoning(protocol: Protocol, scale: Scale) -> tuple[PoisoningSpec, ...]:
    """The poisoning attacks of a protocol."""
    if protocol == "paper":
        return (LabelFlipSpec(epochs=50),)
    return (LabelFlipSpec(),)
