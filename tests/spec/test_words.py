"""What an attack is called, and what its attacker holds in hands: said by the spec."""

from typing import ClassVar, Literal

import pytest

from nasaudit.spec.attacks import (
    ATTACKS,
    BadNetsSpec,
    BlendedSpec,
    EvasionSpec,
    GapSpec,
    LatentSpec,
    LiraSpec,
    PgdSpec,
    WaNetSpec,
    attack_title,
)


class Unnamed(EvasionSpec):
    """A plugin's attack that says no title."""

    name: Literal["of_mine"] = "of_mine"


class Derived(PgdSpec):
    """One that is made of another, with a name of its own."""

    name: Literal["pgd_again"] = "pgd_again"  # type: ignore[assignment]


class Titled(EvasionSpec):
    """One that says its title."""

    title: ClassVar[str] = "MINE"
    name: Literal["mine"] = "mine"


def test_a_class_without_a_title_has_its_name_in_words():
    assert (Unnamed.title, Derived.title, Titled.title) == ("of mine", "pgd again", "MINE")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("pgd", "PGD"),
        ("auto-pgd", "APGD"),
        ("hop_skip_jump", "hop skip jump"),
        ("latent", "Latent backdoor"),
        ("lira", "LiRA"),
        ("loss_threshold", "loss threshold"),
        ("nobody_registered_it", "nobody registered it"),
    ],
)
def test_titles_in_prose(name: str, title: str):
    assert attack_title(name) == title


def test_every_attack_has_a_title_and_a_summary():
    assert all(ATTACKS[name].title and ATTACKS[name].summary for name in ATTACKS)


def test_who_adds_to_batches_runs_the_training():
    assert BadNetsSpec().needs == BlendedSpec().needs == "can change some of the training data"
    assert BadNetsSpec(copies="append").needs == WaNetSpec().needs == "runs the training"
    assert LatentSpec().needs == "has the trained model and trains it further"


def test_only_graded_scores_make_a_curve():
    assert LiraSpec.graded
    assert not GapSpec.graded
