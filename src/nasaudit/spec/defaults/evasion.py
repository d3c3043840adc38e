"""What `evasion` stands for."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import (
    ApgdSpec,
    DdnSpec,
    EnsembleSpec,
    EvasionSpec,
    FgsmSpec,
    HopSkipJumpSpec,
    NesSpec,
    PgdSpec,
    SquareSpec,
    TransferSpec,
)
from nasaudit.spec.tasks import Protocol

# Attacks that cost much for each image try few epsilons on fewer images; the middle one is tried on every image.
FEW = (4 / 255, 8 / 255, 16 / 255)


def evasion(protocol: Protocol, scale: Scale) -> tuple[EvasionSpec, ...]:
    """The evasion attacks of a protocol: at `sound` every access that an attacker may have."""
    if protocol == "paper":
        return (paper_pgd(), paper_nes())
    costly = 50 if scale == "mini" else 100
    return (
        # The two security curves that comparisons rest on. The same at both scales: the grid suits an undefended
        # network of any size.
        PgdSpec(),
        PgdSpec(goal="least_likely"),
        # Does a stronger attack, or one that needs no gradient, find what PGD does not?
        EnsembleSpec(
            members=(ApgdSpec(loss="ce", steps=40), ApgdSpec(loss="dlr", steps=40), SquareSpec(queries=200)),
            epsilons=FEW,
            images=2 * costly,
        ),
        FgsmSpec(),
        DdnSpec(steps=60, images=2 * costly),
        TransferSpec(),
        NesSpec(samples=50, epsilons=(8 / 255,), images=costly),
        SquareSpec(epsilons=FEW, images=costly),
        HopSkipJumpSpec(iterations=5, images=costly),
    )


def paper_pgd() -> PgdSpec:
    """The PGD of the talk's artifact: one epsilon, towards the least likely class, with a confidence rule."""
    return PgdSpec(
        goal="least_likely",
        epsilons=(8 / 255,),
        step_size=2 / 255,
        steps=7,
        random_start=False,
        images=1000,
        only_correct=True,
        min_confidence=0.99,
    )


def paper_nes() -> NesSpec:
    """The NES of the talk's artifact: towards the second most likely class, 50 pairs a step, no confidence rule."""
    return NesSpec(
        goal="second_likely",
        epsilons=(8 / 255,),
        step_size=2 / 255,
        steps=7,
        samples=100,
        sigma=1e-3,
        momentum=0.0,
        images=1000,
        only_correct=True,
    )
