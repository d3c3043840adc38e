"""How serious each of the five threats is, architecture by architecture: what the first screen says. No torch.

The levels are conventions of this program, the same for every study, decided before any result:

| threat | figure | low up to | severe from |
|---|---|---|---|
| evade | its correct images that fall at the usual size of change (`USUAL`) | 10 % | 50 % |
| poison | accuracy lost to the largest share of wrong labels that was tried | 2 points | 10 points |
| backdoor | triggered images of other classes that it then takes for the target | 10 % | 50 % |
| steal | test images on which the stolen model agrees | 50 % | 90 % |
| infer members | AUC of telling members from others | .6 | .75 |

`low` has to be shown: the whole 95 % interval must lie below. What lies between is `raised`, unless the interval also
holds what an attack does that does nothing: then it is `unclear`. The most serious
architecture decides the order; no level compares two of them, which `verdicts.standings` does.
"""

from collections.abc import Mapping, Sequence
from math import log

from nasaudit.results.provenance import Provenance
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import over_seeds
from nasaudit.results.verdict_models import Level, Threat, ThreatFigure, Untested
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import FAMILIES, Family
from nasaudit.spec.study import StudySpec
from nasaudit.spec.units import as_number

# Of each family's figure: low up to, severe from.
LIMITS: Mapping[Family, tuple[float, float]] = {
    "evasion": (0.1, 0.5),
    "poisoning": (0.02, 0.1),
    "backdoor": (0.1, 0.5),
    "extraction": (0.5, 0.9),
    "membership": (0.6, 0.75),
}
# The figure of an attack that does nothing.
NOTHING: Mapping[Family, float] = {**dict.fromkeys(LIMITS, 0.0), "membership": 0.5}
# The size of change that the literature quotes, by channels and norm: Madry et al., ICLR 2018, for MNIST (.3) and
# CIFAR-10 (8/255); RobustBench (Croce et al., NeurIPS 2021) for .5 in l2; Rony et al., CVPR 2019, for MNIST in l2.
USUAL: Mapping[tuple[int, str], str] = {
    (3, "linf"): "8/255", (1, "linf"): "64/255", (3, "l2"): "0.5", (1, "l2"): "2",
}  # fmt: skip
# The family whose every attack trains the victim anew.
RECIPE = "poisoning"
SERIOUS: tuple[Level, ...] = ("severe", "raised", "unclear", "low", "not tested")  # the most serious first


def find_threats(
    headlines: Sequence[Headline], rows: Sequence[Row], architectures: Sequence[ArchSpec]
) -> list[Threat]:
    """One for each family, the most serious first; of a family that was not measured without figures.

    Args:
        headlines: of the study's families.
        rows: of the study.
        architectures: of the study.
    """
    channels = architectures[0].input_shape[0] if architectures else 3
    threats = []
    for family in FAMILIES:
        headline = next((each for each in headlines if each.family == family), None)
        places = {} if headline is None else _figures(headline, rows, channels)
        figures = [
            ThreatFigure(architecture=name, level=level_of(family, rows[place]), position=place)
            for name, place in places.items()
        ]
        levels = [figure.level for figure in figures]
        threats.append(
            Threat(family=family, level=min(levels, key=SERIOUS.index, default="not tested"), figures=figures)
        )
    return sorted(threats, key=lambda threat: SERIOUS.index(threat.level))


def level_of(family: Family, row: Row) -> Level:
    """The level of one figure; higher is worse in every family."""
    low, severe = LIMITS[family]
    if row.value >= severe:
        return "severe"
    if row.high <= low:
        return "low"
    return "unclear" if row.low <= NOTHING[family] else "raised"


def _figures(headline: Headline, rows: Sequence[Row], channels: int) -> dict[str, int]:
    """The row that a person reads for each architecture: of a security curve the rate at the usual size of change.

    It counts the images that the architecture itself gets right. A curve without that epsilon is read at the nearest.
    """
    if headline.metric != "curve_area":
        return headline.positions
    identity = {key: text for key, text in headline.setting.items() if key != "images"}
    rates: dict[str, dict[str, list[int]]] = {}
    for place, row in enumerate(rows):
        if (row.family, row.attack, row.metric) != (headline.family, headline.attack, "asr"):
            continue
        epsilon, images = row.setting.get("epsilon", ""), row.setting.get("images")
        if row.setting == {**identity, "epsilon": epsilon, "images": images} and images == "correct":
            rates.setdefault(row.architecture, {}).setdefault(epsilon, []).append(place)
    usual = as_number(USUAL[min(channels, 3), headline.setting.get("norm", "linf")]) or 1.0
    found = {}
    for name in headline.positions:
        at = {as_number(epsilon) or 0.0: places for epsilon, places in rates.get(name, {}).items()}
        nearest = min(
            (epsilon for epsilon in at if epsilon > 0), key=lambda each: abs(log(each / usual)), default=None
        )
        chosen = None if nearest is None else over_seeds([rows[place] for place in at[nearest]])
        if nearest is not None and chosen is not None:
            found[name] = next(place for place in at[nearest] if rows[place] is chosen)
    return found


def find_untested(study: StudySpec, provenance: Provenance, measured: set[str]) -> list[Untested]:
    """The families of which there is no figure, in their order.

    Args:
        study: as it was asked for.
        provenance: what is known of the weights.
        measured: families that have rows.
    """
    untested = []
    asked = {attack.family for attack in study.attacks}
    for family in FAMILIES:
        if family in measured:
            continue
        if family in asked:
            why, how = "its attacks left no result", "see the failures"
        elif provenance.doubtful and family != "evasion":
            why = "nobody says which images the model was trained on"
            how = "name them with --train-index or --test-index, or bring data with a test part"
            if family == RECIPE:
                how += "; it also takes the recipe of the training, as a study's `training`"
        elif provenance.given and family == RECIPE and study.training is None:
            why = "it trains the model anew, by a recipe that is not known"
            how = "give the recipe as a study's `training`"
        elif family == "backdoor" and any(
            choice.model is not None and choice.model.is_torchscript for choice in study.architectures
        ):
            why = "the batch normalisation of a traced network stays fixed, so none can be planted as in the original"
            how = "audit the network that was traced"
        else:
            why, how = "it was not asked for", f"--attacks {family}"
        untested.append(Untested(family=family, why=why, how=how))
    return untested
