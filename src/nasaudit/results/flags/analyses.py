"""When a figure of an analysis does not explain what it seems to."""

from collections.abc import Iterator, Sequence

from nasaudit.results.flags.base import Check, Facts, Remark
from nasaudit.results.schema import Row

FEW_IMAGES = 100  # for standard deviations of gradients, which are heavy-tailed
FEW_BATCHES = 8
FEW_SMOOTHNESS = 30  # images, each with a curvature of its own
# Beyond this factor the gradient does not change as its derivative says it should.
DISAGREEMENT = 3.0
KINKS = "kinks of ReLU or of pooling, which a Hessian does not see"
SPACES = {"parameters": "by the parameters", "input": "by the pixels"}


def few_units(facts: Facts) -> Iterator[Remark]:
    """Too few images or batches; all architectures have the same, so it is said once for each measure."""
    wanted = (
        ("gradients", "gradient_std_sum", FEW_IMAGES, "images"),
        ("gradients", "gradient_variance", FEW_BATCHES, "batches"),
        ("smoothness", "hessian_top", FEW_SMOOTHNESS, "input_images"),
    )
    for family, metric, least, field in wanted:
        rows = facts.by_seed(family, metric)
        if field == "input_images":
            rows = [row for row in rows if row.setting.get("space") == "input"]
        fewest = min((row.n for row in rows), default=least)
        if fewest < least:
            units = field.replace("input_images", "images")
            yield Remark(
                f"{metric} rests on {fewest} {units}: too few to rank architectures by it; set `{field}` of "
                f"the analysis `{family}` to {least} or more, if the data have as many"
            )


def threshold_not_reached(facts: Facts) -> Iterator[Remark]:
    """A training that ends below a threshold that others reach: its steps are those of the whole training."""
    by_threshold: dict[str, dict[bool, dict[str, None]]] = {}
    for row in facts.by_seed("convergence", "steps_to_accuracy"):
        sides = by_threshold.setdefault(row.setting["accuracy"], {True: {}, False: {}})
        sides[not row.bound][row.architecture] = None
    for threshold, sides in by_threshold.items():
        if sides[True] and sides[False]:
            slow = tuple(sides[False])
            yield Remark(
                f"{_named(slow)} did not reach {float(threshold):.0%} training accuracy in every training, "
                f"and others did: the steps to {float(threshold):.0%} are then only known to be more than the "
                "training has; compare by `loss_area`, or train longer",
                slow,
            )


def kinks(facts: Facts) -> Iterator[Remark]:
    """The gradient changes much more, or much less, over a short step than the Hessian says."""
    changes = {_place(row): row for row in facts.pooled("smoothness", "gradient_lipschitz")}
    disagree: dict[tuple[str, bool], list[str]] = {}
    for row in facts.pooled("smoothness", "hessian_top"):
        change = changes.get(_place(row))
        if change is None or change.value <= 0 or row.value <= 0:
            continue
        ratio = change.value / row.value
        if not 1 / DISAGREEMENT <= ratio <= DISAGREEMENT:
            disagree.setdefault((row.setting["space"], ratio > 1), []).append(row.architecture)
    for (space, larger), architectures in disagree.items():
        radius = "input_radius" if space == "input" else "radius"
        cause = KINKS if larger else "curvature that the step leaves behind"
        times = f"more than {DISAGREEMENT:g} times" if larger else f"less than 1/{DISAGREEMENT:g}"
        yield Remark(
            f"{SPACES.get(space, space)}, the loss gradient of {_named(architectures)} changes over a short "
            f"step {times} as much as the Hessian's top eigenvalue says: {cause}; believe neither alone, and try "
            f"another `{radius}` of the analysis `smoothness`",
            tuple(architectures),
        )


def hessian_by_differences(facts: Facts) -> Iterator[Remark]:
    """Networks with a layer that has no second derivative."""
    rows = [row for row in facts.of_family("smoothness") if row.setting.get("how") == "finite_difference"]
    architectures = tuple(dict.fromkeys(row.architecture for row in rows))
    if architectures:
        yield Remark(
            f"{_named(architectures)} has a layer without a second derivative, so its Hessian was taken from "
            "differences of gradients: do not compare it with others to more than two digits",
            architectures,
        )


def weight_free_path(facts: Facts) -> Iterator[Remark]:
    """A path from the pixels around all learned layers into the features: what an architectural backdoor needs."""
    joins: dict[str, list[str]] = {}
    for row in facts.pooled("topology", "weight_free_join"):
        joins.setdefault(row.architecture, []).append(f"`{row.setting['op']}` in `{row.setting['layer']}`")
    for architecture, places in joins.items():
        yield Remark(
            f"{architecture} has a path from the pixels that no learned weight lies on and that joins its features "
            f"({', '.join(places)}): an architectural backdoor needs one, and no training removes it; read the code "
            "there before the network is used",
            (architecture,),
        )


CHECKS: tuple[Check, ...] = (
    weight_free_path,
    few_units,
    threshold_not_reached,
    kinks,
    hessian_by_differences,
)


def _place(row: Row) -> tuple[str, str]:
    return row.architecture, row.setting.get("space", "")


def _named(architectures: Sequence[str]) -> str:
    """`darts`, `darts and resnet`, or `darts, resnet and 14 others`."""
    names = list(architectures)
    if len(names) > 3:
        names = [*names[:2], f"{len(names) - 2} others"]
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
