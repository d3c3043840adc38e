"""What `membership` stands for."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import LossThresholdSpec, MembershipSpec
from nasaudit.spec.tasks import Protocol


def membership(protocol: Protocol, scale: Scale) -> tuple[MembershipSpec, ...]:
    """The membership attacks of a protocol."""
    return (LossThresholdSpec(),)
