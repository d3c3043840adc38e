"""One figure of each architecture for each step of the published chain, chosen before any result is seen. No torch.

The chain (Pang et al., "On the Security Risks of AutoML", USENIX Security 2022): search favours cells that converge
fast, which are shallow, wide and full of skip connections; so their loss is smooth and their gradients vary little;
so attacks that follow gradients, and training on bad data, work better. A step can be measured in dozens of ways, and
whoever picks one after looking finds a link in some of them. So the variables are fixed here, as the headlines of the
attack families are in `verdicts.headlines`, each with the end of its scale where the chain puts NAS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from nasaudit.measure.estimate import Setting
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import over_seeds, setting_of
from nasaudit.results.verdict_models import Part, Variable
from nasaudit.verdicts.headlines import Sign
from nasaudit.verdicts.saturation import UNDECIDED, Saturated, mostly_incomparable

# Gradients are judged in the untrained network, as published: what is known of a cell before it is trained.
INITIAL = {"checkpoint": "initial"}


@dataclass(frozen=True)
class Definition:
    """Which rows a variable is made of.

    Attributes:
        key: of the variable.
        title: in words, as in a sentence.
        part: step of the chain; `control` is held fixed.
        family: of the rows.
        metric: of the rows.
        favoured: the end of the scale where the chain puts architectures found by search.
        setting: what the rows' setting must say.
        preferred: what it should say rather than anything else.
    """

    key: str
    title: str
    part: Part
    family: str
    metric: str
    favoured: Sign
    setting: Mapping[str, str] = field(default_factory=dict)
    preferred: Mapping[str, str] = field(default_factory=dict)

    def fits(self, row: Row) -> bool:
        """Whether the row could be the variable's."""
        named = (row.family, row.attack, row.metric) == (self.family, "", self.metric)
        return named and self.setting.items() <= row.setting.items()

    def rank(self, setting: Setting) -> tuple[int, int]:
        """The smaller, the sooner it is taken."""
        return len(self.preferred.items() - dict(setting).items()), len(setting)


# fmt: off
DEFINITIONS: tuple[Definition, ...] = (
    Definition("depth", "depth of the normal cell", "topology", "topology", "depth", "lower", {"cell": "normal"}),
    Definition("width", "width of the normal cell", "topology", "topology", "width", "higher", {"cell": "normal"}),
    Definition("skip_share", "share of skip connections in the normal cell", "topology", "topology", "skip_share",
               "higher", {"cell": "normal"}),
    Definition("loss_area", "mean training loss over the training", "convergence", "convergence", "loss_area",
               "lower"),
    Definition("early_accuracy", "training accuracy after a quarter of the training", "convergence", "convergence",
               "early_accuracy", "higher", {"share": "0.25"}),
    Definition("gradient_std_sum", "sum of the gradients' standard deviations, untrained, as published", "gradients",
               "gradients", "gradient_std_sum", "lower", INITIAL, {"images": "validation"}),
    Definition("gradient_variance", "variance of the gradient over batches, untrained", "gradients", "gradients",
               "gradient_variance", "lower", INITIAL),
    Definition("relative_gradient_variance", "variance of the gradient relative to its size, untrained",
               "gradients", "gradients", "relative_gradient_variance", "lower", INITIAL),
    Definition("lipschitz_parameters", "Lipschitz constant of the loss gradient, by weights", "smoothness",
               "smoothness", "gradient_lipschitz", "lower", {"space": "parameters"}),
    Definition("lipschitz_input", "Lipschitz constant of the loss gradient, by pixels", "smoothness", "smoothness",
               "gradient_lipschitz", "lower", {"space": "input"}),
    Definition("hessian_top", "largest curvature of the loss, by weights", "smoothness", "smoothness", "hessian_top",
               "lower", {"space": "parameters"}),
)
CONTROLS: tuple[Definition, ...] = (
    Definition("clean_accuracy", "clean test accuracy", "control", "training", "clean_accuracy", "higher",
               {"split": "test"}),
    Definition("flops", "FLOPs of an image", "control", "topology", "flops", "higher"),
)
# fmt: on

# Steps of the chain, on which architectures that search found and cells that were rewired are judged.
EFFECTS: tuple[Part, ...] = ("topology", "convergence", "gradients", "smoothness", "vulnerability")
# Cause and effect: each step with all that come after it. Gradients and smoothness are side by side.
LINKS: tuple[tuple[Part, Part], ...] = (
    ("topology", "convergence"),
    ("topology", "gradients"),
    ("topology", "smoothness"),
    ("convergence", "gradients"),
    ("convergence", "smoothness"),
    ("topology", "vulnerability"),
    ("convergence", "vulnerability"),
    ("gradients", "vulnerability"),
    ("smoothness", "vulnerability"),
)


def make_variables(
    rows: Sequence[Row], headlines: Sequence[Headline], saturated: Mapping[str, Saturated] = {}
) -> list[Variable]:
    """The variables that a study has, in the order of the chain; an architecture counts with the mean over its seeds.

    Every architecture gets the same setting. A figure that is not finite is left out.

    Args:
        rows: of the study.
        headlines: of its families.
        saturated: by family, as `find_saturated` finds them.
    """
    variables = [_variable(rows, definition) for definition in DEFINITIONS]
    variables += [
        Variable(
            key=headline.family,
            title=headline.measure,
            part="vulnerability",
            favoured=headline.published,
            unit=headline.unit,
            metric=headline.metric,
            values={name: row.value for name, row in headline.rows.items() if isfinite(row.value)},
            why=f"{headline.measure}: {UNDECIDED}"
            if mostly_incomparable(headline.rows, headline.rows, saturated.get(headline.family, {}))
            else "",
        )
        for headline in headlines
    ]
    variables += [_variable(rows, definition) for definition in CONTROLS]
    return [variable for variable in variables if variable is not None]


def _variable(rows: Sequence[Row], definition: Definition) -> Variable | None:
    fitting = [row for row in rows if definition.fits(row)]
    if not fitting:
        return None
    chosen = min(dict.fromkeys(setting_of(row) for row in fitting), key=definition.rank)
    by_name: dict[str, list[Row]] = {}
    for row in fitting:
        if setting_of(row) == chosen:
            by_name.setdefault(row.architecture, []).append(row)
    pooled = {name: over_seeds(replicates) for name, replicates in by_name.items()}
    values = {name: row.value for name, row in pooled.items() if row is not None and isfinite(row.value)}
    if not values:
        return None
    return Variable(
        key=definition.key,
        title=definition.title,
        part=definition.part,
        favoured=definition.favoured,
        unit=fitting[0].unit,
        metric=definition.metric,
        values=values,
    )
