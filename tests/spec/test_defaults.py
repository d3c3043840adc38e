import pytest

from nasaudit.errors import UnknownNameError
from nasaudit.spec.attacks import FAMILIES, LINF_GRID, NesSpec, PgdSpec
from nasaudit.spec.attacks.choice import attacks_for


def test_sound_evasion_is_a_curve_towards_any_and_towards_the_least_likely_class() -> None:
    attacks = attacks_for(["pgd"], "sound", "mini")
    assert [attack.goal for attack in attacks] == ["untargeted", "least_likely"]
    assert all(attack.epsilons == LINF_GRID and attack.norm == "linf" for attack in attacks)


def test_sound_evasion_tries_every_access_without_the_rules_of_the_paper() -> None:
    attacks = attacks_for(["evasion"], "sound", "mini")
    assert {attack.threat_model for attack in attacks} == {
        "white_box", "score_based", "label_based", "transfer"
    }  # fmt: skip
    assert all(attack.min_confidence == 0 and not attack.only_correct for attack in attacks)
    assert all(attack.most_queries is not None for attack in attacks if attack.threat_model == "score_based")
    # What a curve over steps or queries is drawn at is the epsilon that the field quotes.
    assert {attack.epsilons[len(attack.epsilons) // 2] for attack in attacks if attack.norm == "linf"} == {
        8 / 255
    }


@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_score_based_attacks_get_a_fifth_of_their_authors_budgets(scale: str) -> None:
    # Square: AutoAttack's 5,000; NES: limited-blackbox-attacks, main.py, 33: --max-queries 10000
    nes, square = attacks_for(["nes", "square"], "sound", scale)
    assert nes.most_queries >= 10_000 / 5
    assert square.most_queries >= 5_000 / 5


def test_autoattack_is_in_the_default_of_the_largest_scale() -> None:
    names = {
        scale: {attack.name for attack in attacks_for(["evasion"], "sound", scale)}
        for scale in ("mini", "paper")
    }
    assert names["mini"] ^ names["paper"] == {"ensemble", "autoattack"}


def test_paper_evasion_is_the_published_setting() -> None:
    pgd, nes = attacks_for(["evasion"], "paper", "paper")
    assert isinstance(pgd, PgdSpec)
    assert (pgd.norm, pgd.goal, pgd.epsilons) == ("linf", "least_likely", (8 / 255,))
    assert (pgd.step_size, pgd.steps, pgd.restarts, pgd.random_start) == (2 / 255, 7, 1, False)
    assert (pgd.images, pgd.only_correct, pgd.min_confidence) == (1000, True, 0.99)
    assert isinstance(nes, NesSpec)
    assert (nes.goal, nes.samples, nes.sigma, nes.steps) == ("second_likely", 100, 1e-3, 7)
    assert (nes.epsilons, nes.step_size, nes.min_confidence) == ((8 / 255,), 2 / 255, 0.0)


def test_an_attack_is_named_once_however_often_it_is_asked_for() -> None:
    assert attacks_for(["all"], "sound", "mini") == attacks_for(["Evasion", "pgd", "all"], "sound", "mini")
    assert attacks_for([], "sound", "mini") == ()


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean evasion"):
        attacks_for(["evasoin"], "sound", "mini")


@pytest.mark.parametrize("protocol", ["sound", "paper"])
def test_a_survey_is_one_attack_of_each_family(protocol: str) -> None:
    attacks = attacks_for(["survey"], protocol, "mini")
    assert tuple(attack.family for attack in attacks) == tuple(FAMILIES)


def test_a_sound_survey_takes_the_strongest_setting_where_a_sweep_is_dear() -> None:
    by_name = {attack.name: attack for attack in attacks_for(["survey"], "sound", "mini")}
    assert by_name["label_flip"].fractions == (0.0, 0.4)
    assert by_name["knockoff"].budget_shares == (1.0,)
