"""What `backdoor` stands for."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import BackdoorSpec, BadNetsSpec
from nasaudit.spec.tasks import Protocol


def backdoor(protocol: Protocol, scale: Scale) -> tuple[BackdoorSpec, ...]:
    """The backdoors of a protocol."""
    if protocol == "paper":
        return (BadNetsSpec(epochs=20, learning_rate=0.01),)
    return (BadNetsSpec(),)
