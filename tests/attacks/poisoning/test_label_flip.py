import numpy as np
import pytest
from scipy import stats

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.poisoning.base import Poison
from nasaudit.attacks.poisoning.label_flip import LabelFlip
from nasaudit.data.split import Split
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import DataFacts, LabelFlipSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.poisoning import DataPoisoningConformance

FRACTIONS = (0.1, 0.2, 0.4)


class TestLabelFlip(DataPoisoningConformance):
    def attack(self, seed: int = 0) -> LabelFlip:
        return LabelFlip(LabelFlipSpec(seed=seed))


def flip(train: Split, fraction: float, seed: int = 0) -> Poison:
    return LabelFlip(LabelFlipSpec(seed=seed)).poison(train, fraction)


def broken_rules(train: Split, poison: Poison, fraction: float) -> list[str]:
    """What is wrong with a poison of flipped labels, written independently of how it is made."""
    own = dict(zip(train.indices.tolist(), train.labels.tolist(), strict=True))
    pairs = list(zip(poison.indices.tolist(), poison.labels.tolist(), strict=True))
    rules = {
        "count": len(pairs) == round(fraction * len(train)),
        "each once": len({index for index, _ in pairs}) == len(pairs),
        "wrong": all(own[index] != label for index, label in pairs),
        "a class": all(0 <= label < train.classes for _, label in pairs),
        "pixels": poison.images is None,
    }
    return [rule for rule, kept in rules.items() if not kept]


@pytest.mark.parametrize("fraction", [0.0, 0.003, *FRACTIONS, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_so_many_images_get_another_label_and_nothing_else(fraction, seed) -> None:
    train = synthetic_split(333, classes=7, first_index=50)
    assert broken_rules(train, flip(train, fraction, seed), fraction) == []


def test_labels_flipped_to_the_true_ones_would_be_seen() -> None:
    train = synthetic_split(100)
    poison = flip(train, 0.2)
    planted = poison.labels.clone()
    planted[3] = train.labels[train.find(poison.indices[3:4])]
    assert broken_rules(train, Poison(poison.indices, planted), 0.2) == ["wrong"]
    assert broken_rules(train, Poison(poison.indices[:-1], poison.labels[:-1]), 0.2) == ["count"]


def test_wrong_labels_are_uniform() -> None:
    train = synthetic_split(20_000, classes=5, shape=(1, 2, 2))
    poison = flip(train, 0.9)
    distance = (poison.labels - train.labels[train.find(poison.indices)]) % 5
    counts = np.bincount(distance.numpy(), minlength=5)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 0.001
    # Every class is left as often as it is there, and every class is reached as often as another.
    assert stats.chisquare(np.bincount(poison.labels.numpy())).pvalue > 0.001


def test_the_poisoned_images_are_a_fair_draw() -> None:
    """Over seeds, each image is poisoned as often as another: a binomial spread, no more and no less."""
    train = synthetic_split(200, shape=(1, 2, 2))
    times = np.zeros(200)
    for seed in range(400):
        times[flip(train, 0.25, seed).indices.numpy()] += 1
    chi = ((times - 100) ** 2 / 75).sum()
    assert stats.chi2.sf(chi, 199) > 0.001
    assert stats.chi2.cdf(chi, 199) > 0.001


def facts(train: int, test: int = 100, classes: int = 10) -> DataFacts:
    return DataFacts(classes, (1, 8, 8), lambda: {"train": train, "validation": 0, "test": test, "pool": 0})


def test_fractions_without_an_image_are_refused_before_anything_is_trained() -> None:
    LabelFlipSpec(fractions=(0.0, 0.01)).check(facts(100))
    with pytest.raises(SpecError, match=r"fractions: expected 0, or at least 0\.02"):
        LabelFlipSpec(fractions=(0.0, 0.001)).check(facts(50))


@pytest.mark.parametrize("fractions", [(0.2, 0.1), (0.1, 0.1), (0.0,), (), (1.5,)])
def test_fractions_that_make_no_curve_are_refused(fractions) -> None:
    with pytest.raises(SpecError, match="fractions"):
        LabelFlipSpec.parse({"fractions": fractions})


def test_the_spec_finds_its_implementation() -> None:
    assert isinstance(load_attack(LabelFlipSpec()), LabelFlip)
