"""The one measure by which each family's architectures are compared, chosen before any result is seen. No torch.

A study measures hundreds of figures; whoever picks one after looking finds a difference in some of them. So each
family's headline is fixed here: the metric, the attack and the setting, and the direction that was published.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from nasaudit.results.schema import Row
from nasaudit.results.selection import Setting, over_seeds, setting_of
from nasaudit.spec.attacks import Family

Sign = Literal["higher", "lower"]
Identity = tuple[str, Setting]  # with the attack

PUBLISHED = "Pang et al., USENIX Security 2022"


@dataclass(frozen=True)
class Headline:
    """Which rows a family is judged by. Of several that fit, the wishes decide in the order in which they stand here.

    Attributes:
        measure: in words, as in a sentence.
        metric: of the rows; higher is worse for the defender.
        attacks: that may stand for the family, the preferred one first.
        setting: what the rows' setting must say.
        preferred: what it should say rather than anything else.
        avoided: what it should not say if another choice exists.
        unsaid: keys that it should not have: a defence of the victim's.
        largest: the key whose largest number is taken (a budget); "": none.
        protocol: the one that the rows must come from; "": any.
    """

    measure: str
    metric: str
    attacks: tuple[str, ...]
    setting: Mapping[str, str] = field(default_factory=dict)
    preferred: Mapping[str, str] = field(default_factory=dict)
    avoided: Mapping[str, str] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
    largest: str = ""
    protocol: str = ""

    def fits(self, row: Row) -> bool:
        """Whether the row could be the headline's."""
        return (
            row.metric == self.metric
            and row.attack in self.attacks
            and self.setting.items() <= row.setting.items()
            and self.protocol in ("", row.protocol)
        )

    def rank(self, identity: Identity) -> tuple[int, int, int, int, float]:
        """The smaller, the sooner it is taken."""
        attack, pairs = identity
        setting = dict(pairs)
        return (
            self.attacks.index(attack),
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


@dataclass(frozen=True)
class Found:
    """A family's headline as a study has it.

    Attributes:
        headline: the one that was taken.
        attack: of all its rows.
        setting: what all its rows have in common.
        rows: one for each architecture, over its seeds, by name; at least one.
        models: how many trained models stand behind each of them.
    """

    headline: Headline
    attack: str
    setting: dict[str, str]
    rows: dict[str, Row]
    models: dict[str, int]


_CURVE = {"norm": "linf", "goal": "untargeted", "images": "common"}
_OWN_IMAGES = {**_CURVE, "images": "correct"}  # where no image is classified correctly by every model
_PAPER_PGD = {"norm": "linf", "goal": "least_likely", "images": "all", "epsilon": "8/255"}

# For each family its headline; a later one counts only where a study has no rows of the earlier ones at all.
HEADLINES: Mapping[Family, tuple[Headline, ...]] = {
    "evasion": (
        Headline("area under the security curve", "curve_area", ("pgd",), _CURVE),
        Headline("area under the security curve", "curve_area", ("pgd",), _OWN_IMAGES),
        Headline("attack success rate at 8/255", "asr", ("pgd",), _PAPER_PGD, protocol="paper"),
    ),
    "poisoning": (Headline("accuracy lost to wrong labels", "cad", ("label_flip",), largest="fraction"),),
    "backdoor": (Headline("success rate of the trigger", "asr", ("badnets",)),),
    "extraction": (
        Headline(
            "agreement of the stolen model",
            "agreement",
            ("knockoff",),
            preferred={"labels": "soft", "pool": "pool"},
            avoided={"surrogate": "same"},
            unsaid=("answers",),
            largest="budget",
        ),
    ),
    "membership": (
        Headline(
            "AUC of finding members",
            "auc",
            ("lira", "rmia", "loss_threshold", "boundary_distance"),
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


def find_headline(rows: Sequence[Row], family: Family) -> Found | None:
    """Pick a family's headline from a study's rows; None where it was not measured.

    Every architecture gets the same attack and setting: what was wished for, and of several that fit, the first in
    the order of the rows. An architecture without that very row is left out.
    """
    of_family = [row for row in rows if row.family == family]
    for headline in HEADLINES[family]:
        fitting = [row for row in of_family if headline.fits(row)]
        if fitting:
            identity = min(_unique(_identity(row) for row in fitting), key=headline.rank)
            found = _found(headline, identity, [row for row in fitting if _identity(row) == identity])
            return found if found.rows else None
    return None


def _found(headline: Headline, identity: Identity, rows: Sequence[Row]) -> Found:
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row.architecture, []).append(row)
    pooled = {
        name: row for name, row in ((name, over_seeds(of_one)) for name, of_one in by_name.items()) if row
    }
    models = {name: len({row.seed for row in by_name[name]} - {"all"}) or 1 for name in pooled}
    attack, setting = identity
    return Found(headline, attack, dict(setting), pooled, models)


def _identity(row: Row) -> Identity:
    return row.attack, setting_of(row)


def _unique(identities: Iterable[Identity]) -> list[Identity]:
    return list(dict.fromkeys(identities))


def _number(text: str) -> float:
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        return 0.0
