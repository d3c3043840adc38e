"""What `evasion` stands for."""

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import EvasionSpec, PgdSpec
from nasaudit.spec.tasks import Protocol


def evasion(protocol: Protocol, scale: Scale) -> tuple[EvasionSpec, ...]:
    """The evasion attacks of a protocol."""
    if protocol == "paper":
        return (paper_pgd(),)
    # The same at both scales: the curve's grid suits an undefended network of any size.
    return (PgdSpec(), PgdSpec(goal="least_likely"))


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
