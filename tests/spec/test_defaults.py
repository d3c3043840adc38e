import pytest

from nasaudit.errors import UnknownNameError
from nasaudit.spec.attacks import LINF_GRID, PgdSpec
from nasaudit.spec.defaults import attacks_for


def test_sound_evasion_is_a_curve_towards_any_and_towards_the_least_likely_class() -> None:
    attacks = attacks_for(["evasion"], "sound", "mini")
    assert [attack.goal for attack in attacks] == ["untargeted", "least_likely"]
    assert all(attack.epsilons == LINF_GRID and attack.norm == "linf" for attack in attacks)
    assert all(attack.min_confidence == 0 and not attack.only_correct for attack in attacks)


def test_paper_evasion_is_the_published_setting() -> None:
    (attack,) = attacks_for(["evasion"], "paper", "paper")
    assert isinstance(attack, PgdSpec)
    assert (attack.norm, attack.goal, attack.epsilons) == ("linf", "least_likely", (8 / 255,))
    assert (attack.step_size, attack.steps, attack.restarts, attack.random_start) == (2 / 255, 7, 1, False)
    assert (attack.images, attack.only_correct, attack.min_confidence) == (1000, True, 0.99)


def test_an_attack_is_named_once_however_often_it_is_asked_for() -> None:
    assert attacks_for(["all"], "sound", "mini") == attacks_for(["Evasion", "pgd", "all"], "sound", "mini")
    assert attacks_for([], "sound", "mini") == ()


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean evasion"):
        attacks_for(["evasoin"], "sound", "mini")
