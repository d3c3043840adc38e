"""The one figure by which each family's architectures are compared, chosen before any result is seen. No torch.

A study measures hundreds of figures; whoever picks one after looking finds a difference in some of them. So each
family's headline is fixed here: the metric, the attack and the setting, and the direction that was published. Of a
study that measured anything else of a family, the last wishes take that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from nasaudit.measure.estimate import Setting
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import COMMON, Key, key_of, on_common_images, over_seeds
from nasaudit.spec.attacks import ATTACKS, FAMILIES, Family, ModelPoisoningSpec

Sign = Literal["higher", "lower"]
Identity = tuple[str, Setting]  # of a figure in all architectures: with the attack

PUBLISHED = "Pang et al., USENIX Security 2022"
# The epsilon that the field quotes most.
QUOTED: Mapping[str, str] = {"linf": "8/255", "l2": "0.5"}


@dataclass(frozen=True)
class Wish:
    """Which rows a family would be judged by. Of several that fit, the fields decide in the order of `rank`.

    Attributes:
        measure: in words, as in a sentence; an epsilon of the setting is added to it.
        metric: of the rows; higher is worse for the defender.
        attacks: that may stand for the family, the preferred one first. The published sign is about these alone.
        others: whether any other attack may too, after these.
        untargeted: whether poisons aimed at single images may not: they are judged by the targets they reach.
        setting: what the rows' setting must say.
        preferred: what it should say rather than anything else.
        avoided: what it should not say if another choice exists.
        unsaid: keys that it should not have: a defence of the victim's.
        largest: the key whose largest number is taken (a budget); "": none.
        protocol: the one that the rows must come from; "": any.
    """

    measure: str
    metric: str
    attacks: tuple[str, ...] = ()
    setting: Mapping[str, str] = field(default_factory=dict)
    others: bool = False
    untargeted: bool = False
    preferred: Mapping[str, str] = field(default_factory=dict)
    avoided: Mapping[str, str] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
    largest: str = ""
    protocol: str = ""

    def fits(self, row: Row) -> bool:
        """Whether the row could be the headline's."""
        aimed = row.attack in ATTACKS and issubclass(ATTACKS[row.attack], ModelPoisoningSpec)
        return (
            row.metric == self.metric
            and not (self.untargeted and aimed)
            and (self.others or row.attack in self.attacks)
            and self.setting.items() <= row.setting.items()
            and self.protocol in ("", row.protocol)
        )

    def rank(self, identity: Identity) -> tuple[int, int, int, int, float]:
        """The smaller, the sooner it is taken."""
        attack, pairs = identity
        setting = dict(pairs)
        return (
            (*self.attacks, attack).index(attack),
            sum(key in setting for key in self.unsaid),
            sum(setting.get(key) != text for key, text in self.preferred.items()),
            sum(setting.get(key) == text for key, text in self.avoided.items()),
            -_number(setting.get(self.largest, "")),
        )


@dataclass(frozen=True)
class Published:
    """What was published of NAS-designed against hand-made models: sign of the difference, size in words."""

    sign: Sign
    size: str = ""


AREA = "area under the security curve"
RATE = "attack success rate"
# Other attacks of evasion in PGD's place, the more they see of the model the sooner.
OTHERS = (
    "pgd",
    "apgd",
    "autoattack",
    "ensemble",
    "ddn",
    "fab",
    "fgsm",
    "square",
    "nes",
    "hop_skip_jump",
    "transfer",
)
# From the threat that was published to any.
THREATS: tuple[Mapping[str, str], ...] = (
    {"norm": "linf", "goal": "untargeted"},
    {"norm": "l2", "goal": "untargeted"},
    {"norm": "linf"},
    {"norm": "l2"},
    {},
)
# The fairest for a comparison first.
IMAGES: tuple[Mapping[str, str], ...] = ({"images": COMMON}, {"images": "correct"}, {"images": "all"}, {})
_CURVE = {"norm": "linf", "goal": "untargeted", "images": "common"}
_OWN_IMAGES = {**_CURVE, "images": "correct"}  # where no image is classified correctly by every model
_PAPER_PGD = {"norm": "linf", "goal": "least_likely", "images": "all", "epsilon": "8/255"}

# For each family its headline; a later one counts only where a study has no figure of the earlier ones at all.
WISHES: Mapping[Family, tuple[Wish, ...]] = {
    "evasion": (
        Wish(AREA, "curve_area", ("pgd",), _CURVE),
        Wish(AREA, "curve_area", ("pgd",), _OWN_IMAGES),
        Wish(RATE, "asr", ("pgd",), _PAPER_PGD, protocol="paper"),
        *(
            Wish(AREA, "curve_area", OTHERS, {**threat, **images}, others=True)
            for threat in THREATS
            for images in IMAGES
        ),
        *(
            Wish(
                RATE,
                "asr",
                OTHERS,
                {**threat, **images},
                others=True,
                preferred={"epsilon": QUOTED.get(threat.get("norm", ""), "")},
                largest="epsilon",
            )
            for threat in THREATS
            for images in IMAGES
        ),
    ),
    "poisoning": (
        Wish("accuracy lost to wrong labels", "cad", ("label_flip",), largest="fraction"),
        Wish("accuracy lost to poison", "cad", others=True, untargeted=True, largest="fraction"),
    ),
    "backdoor": (
        Wish(
            "success rate of the trigger",
            "asr",
            ("badnets", "blended", "sig", "wanet", "trojannn", "latent", "imc"),
            others=True,
        ),
    ),
    "extraction": (
        Wish(
            "agreement of the stolen model",
            "agreement",
            ("knockoff", "knockoff_adaptive"),
            others=True,
            preferred={"labels": "soft", "pool": "pool"},
            avoided={"surrogate": "same"},
            unsaid=("answers",),
            largest="budget",
        ),
    ),
    "membership": (
        Wish(
            "AUC of finding members",
            "auc",
            ("lira", "rmia", "loss_threshold", "boundary_distance", "gap"),
            others=True,
            preferred={"mode": "online"},
        ),
    ),
}

# Signs and sizes: protocols of the published experiments. All measures are higher where the defender is worse off.
DIRECTIONS: Mapping[Family, Published] = {
    "evasion": Published("higher"),
    "poisoning": Published("lower", "about 5 points less accuracy lost at a fraction of .4"),
    "backdoor": Published("higher", "a success rate about 2 points higher"),
    "extraction": Published("higher", "a stolen model whose cross entropy is about .3 lower"),
    "membership": Published("higher", "an AUC about .04 higher"),
}


def find_headlines(rows: Sequence[Row], *, between_studies: bool = False) -> list[Headline]:
    """The headline of each family that was measured, in the order of the families.

    Every architecture gets the same attack and setting: what was wished for, and of several that fit, the first in
    the order of the rows. An architecture without that very figure is left out.

    Args:
        rows: of the study.
        between_studies: whether to leave out figures that count images which another study does not.
    """
    places: dict[Key, list[int]] = {}
    for place, row in enumerate(rows):
        if row.family in FAMILIES:
            places.setdefault(key_of(row), []).append(place)
    pooled: dict[str, dict[Key, int]] = {family: {} for family in FAMILIES}
    for key, of_figure in places.items():
        chosen = over_seeds([rows[place] for place in of_figure])
        if chosen is not None and not (between_studies and on_common_images(key)):
            pooled[key.family][key] = next(place for place in of_figure if rows[place] is chosen)
    headlines = [_find(rows, family, pooled[family], places) for family in FAMILIES]
    return [headline for headline in headlines if headline is not None]


def _find(
    rows: Sequence[Row], family: Family, pooled: Mapping[Key, int], places: Mapping[Key, Sequence[int]]
) -> Headline | None:
    for wish in WISHES[family]:
        fitting = {key: place for key, place in pooled.items() if wish.fits(rows[place])}
        if fitting:
            break
    else:
        return None
    attack, pairs = min(((key.attack, key.setting) for key in fitting), key=wish.rank)
    taken = {key.architecture: key for key in fitting if (key.attack, key.setting) == (attack, pairs)}
    setting = dict(pairs)
    seeds = {name: {rows[place].seed for place in places[key]} - {"all"} for name, key in taken.items()}
    by_name = {name: rows[pooled[key]] for name, key in taken.items()}
    published = DIRECTIONS[family] if attack in wish.attacks else None
    return Headline(
        family=family,
        measure=f"{wish.measure} at {setting['epsilon']}" if "epsilon" in setting else wish.measure,
        attack=attack,
        setting=setting,
        metric=wish.metric,
        unit=next(iter(by_name.values())).unit,
        published=None if published is None else published.sign,
        published_size="" if published is None else published.size,
        positions={name: pooled[key] for name, key in taken.items()},
        models={name: len(of_name) or 1 for name, of_name in seeds.items()},
        rows=by_name,
    )


def _number(text: str) -> float:
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        return 0.0
