"""What `membership` stands for."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks.membership import (
    BoundaryDistanceSpec,
    GapSpec,
    LiraSpec,
    LossThresholdSpec,
    MembershipSpec,
    RmiaSpec,
)
from nasaudit.spec.tasks import Protocol

# Shadow models of each architecture: at `paper` scale as many as LiRA's authors need for one variance an image.
SHADOW_MODELS: dict[Scale, int] = {"mini": LiraSpec.model_fields["models"].default, "paper": 64}


def membership(protocol: Protocol, scale: Scale) -> tuple[MembershipSpec, ...]:
    """The membership attacks of a protocol, those without shadow models first."""
    if protocol == "paper":
        return (BoundaryDistanceSpec(examples=50, iterations=10, evaluations=100),)
    models = SHADOW_MODELS[scale]
    return (
        LossThresholdSpec(),
        GapSpec(),
        small_boundary_distance() if scale == "mini" else BoundaryDistanceSpec(),
        RmiaSpec(models=models),
        LiraSpec(models=models, mode="offline"),
        LiraSpec(models=models),
    )


def small_boundary_distance() -> BoundaryDistanceSpec:
    """The label-only attack with so few queries that a CPU answers them in a minute or two."""
    return BoundaryDistanceSpec(iterations=3, evaluations=30, query_budget=250)
