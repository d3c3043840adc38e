"""The rows of a study that a verdict may rest on: one for each architecture and figure, over its seeds. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nasaudit.measure.estimate import Estimate, Setting
from nasaudit.results.base import format_setting
from nasaudit.results.replicates import distinguishing
from nasaudit.results.schema import Row, StudyResults
from nasaudit.spec.attacks import AttackSpec

COMMON = "common"  # the images that every model of a study gets right: other images in every other study


class Key(NamedTuple):
    """What a figure is of; two studies' figures with one key measure the same thing."""

    architecture: str
    family: str
    attack: str
    metric: str
    setting: Setting  # in the order of its keys

    def words(self) -> str:
        """E.g. `darts pgd asr epsilon=2/255;norm=linf`."""
        return (
            f"{self.architecture} {figure_words(self.attack or self.family, self.metric, dict(self.setting))}"
        )


@dataclass(frozen=True)
class Figure:
    """A figure over its seeds.

    Attributes:
        key: what it is of.
        row: over all seeds, or of the only one.
        by_seed: the rows of single seeds.
    """

    key: Key
    row: Row
    by_seed: Mapping[int, Row]


def key_of(row: Row) -> Key:
    """What a row's figure is of."""
    return Key(row.architecture, row.family, row.attack, row.metric, setting_of(row))


def figures(rows: Iterable[Row]) -> dict[Key, Figure]:
    """All figures, in the order of the rows. Several seeds that nobody pooled, as one lacks it, are none."""
    by_key: dict[Key, list[Row]] = {}
    for row in rows:
        by_key.setdefault(key_of(row), []).append(row)
    pooled = {key: over_seeds(replicates) for key, replicates in by_key.items()}
    return {
        key: Figure(key, row, {seed.seed: seed for seed in by_key[key] if isinstance(seed.seed, int)})
        for key, row in pooled.items()
        if row is not None
    }


def over_seeds(rows: Sequence[Row]) -> Row | None:
    """The row over all seeds, or that of the only seed; several seeds that nobody pooled are no estimate."""
    pooled = [row for row in rows if row.seed == "all"]
    if pooled:
        return pooled[0]
    return rows[0] if len(rows) == 1 else None


def setting_of(row: Row) -> Setting:
    """A row's setting, in the order of its keys."""
    return tuple(sorted(row.setting.items()))


def figure_words(source: str, metric: str, setting: Mapping[str, str]) -> str:
    """E.g. `pgd asr epsilon=2/255;norm=linf`."""
    return " ".join(part for part in (source, metric, format_setting(setting)) if part)


def estimate_of(row: Row) -> Estimate:
    """The row's figure alone."""
    return Estimate(row.value, row.low, row.high, row.n, row.unit, row.bound or None)


def clean_accuracies(rows: Iterable[Row]) -> dict[str, float]:
    """Clean test accuracy of each architecture over its seeds."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        if (row.family, row.metric, row.setting.get("split")) == ("training", "clean_accuracy", "test"):
            by_name.setdefault(row.architecture, []).append(row)
    pooled = {name: over_seeds(of_one) for name, of_one in by_name.items()}
    return {name: row.value for name, row in pooled.items() if row is not None}


def on_common_images(key: Key) -> bool:
    """Whether the figure counts images that another study does not."""
    return ("images", COMMON) in key.setting


class Attacks:
    """Which attack of a study a figure came from.

    Args:
        results: of the study.
    """

    def __init__(self, results: StudyResults):
        self._attacks: Sequence[AttackSpec] = results.study.attacks
        self._told_apart = distinguishing(self._attacks)

    def of(self, key: Key) -> AttackSpec | None:
        """The attack; None where there is none, or where the study does not say which."""
        setting = dict(key.setting)
        fitting = [
            attack
            for attack in self._attacks
            if attack.name == key.attack
            and all(setting.get(field, text) == text for field, text in _threat(attack).items())
            and self._told_apart[attack.digest()].items() <= setting.items()
        ]
        return fitting[0] if len(fitting) == 1 else None


def _threat(attack: AttackSpec) -> dict[str, str]:
    """Norm and goal, where an attack has them: rows carry both."""
    return {
        field: str(getattr(attack, field))
        for field in ("norm", "goal")
        if getattr(attack, field, None) is not None
    }


def differing_fields(ours: AttackSpec, theirs: AttackSpec) -> list[str]:
    """The fields in which two attacks differ."""
    first, second = ours.model_dump(mode="json"), theirs.model_dump(mode="json")
    return sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))
