"""When a low attack success rate proves nothing."""

from collections.abc import Iterator

from nasaudit.study.flags.base import Check, Findings
from nasaudit.study.results import Flag


def zero_gradients(findings: Findings) -> Iterator[Flag]:
    """Gradients that are exactly zero hide the way to adversarial examples, they do not remove it."""
    worst: dict[str, float] = {}
    for row in findings.rows:
        if row.metric == "zero_gradient_share" and row.value > 0:
            worst[row.architecture] = max(row.value, worst.get(row.architecture, 0.0))
    for architecture, share in worst.items():
        yield Flag(
            kind="zero_gradients",
            architectures=(architecture,),
            message=(
                f"the gradient of {architecture} is exactly zero on up to {share:.1%} of the images: a "
                "gradient attack then fails for a reason that is not robustness"
            ),
        )


CHECKS: tuple[Check, ...] = (zero_gradients,)
