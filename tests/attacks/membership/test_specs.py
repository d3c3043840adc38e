"""What can be wished for, and what is refused before anything is trained."""

import pytest

from nasaudit.errors import SpecError
from nasaudit.spec.attacks import (
    ATTACKS,
    BoundaryDistanceSpec,
    DataFacts,
    GapSpec,
    LiraSpec,
    LossThresholdSpec,
    RmiaSpec,
)
from nasaudit.spec.attacks.choice import attacks_for


def facts(train=3000, test=1000, pool=750):
    return DataFacts(10, (1, 28, 28), lambda: {"train": train, "validation": 250, "test": test, "pool": pool})


def test_as_many_images_as_there_are_up_to_a_thousand():
    assert LossThresholdSpec().count(3000, 1000) == 1000
    assert LossThresholdSpec().count(50_000, 10_000) == 1000
    assert LossThresholdSpec().count(1078, 359) == 359
    assert LossThresholdSpec(examples=50).count(1078, 359) == 50
    assert BoundaryDistanceSpec().count(3000, 1000) == 500


def test_false_positive_rates_that_so_few_cannot_resolve_are_left_out():
    assert LossThresholdSpec().resolved_fprs(1000) == (0.001, 0.01)
    assert LossThresholdSpec().resolved_fprs(999) == (0.01,)
    assert LossThresholdSpec().resolved_fprs(50) == ()
    assert LossThresholdSpec(fprs=(0.02, 0.1)).resolved_fprs(50) == (0.02, 0.1)


def test_rates_that_are_asked_for_and_cannot_be_had_are_refused():
    LossThresholdSpec(fprs=(0.001,)).check(facts())
    with pytest.raises(SpecError, match=r"fprs: expected at least 1/359, .* got 0\.001"):
        LossThresholdSpec(fprs=(0.001, 0.1)).check(facts(1078, 359))
    with pytest.raises(SpecError, match="fprs: expected ascending"):
        LossThresholdSpec.parse({"fprs": (0.1, 0.01)})


def test_more_images_than_there_are_are_refused():
    with pytest.raises(SpecError, match="examples: expected at most 359"):
        LossThresholdSpec(examples=360).check(facts(1078, 359))
    with pytest.raises(SpecError, match=r"raise data\.test_fraction"):
        LossThresholdSpec().check(facts(3000, 1))


def test_rmia_needs_a_population():
    with pytest.raises(SpecError, match=r"set data\.pool_fraction above 0"):
        RmiaSpec().check(facts(pool=0))
    with pytest.raises(SpecError, match="population: expected at most 750"):
        RmiaSpec(population=751).check(facts())
    RmiaSpec(population=750).check(facts())


@pytest.mark.parametrize("name", ["boundary", "label-only", "boundary_distance"])
def test_the_label_only_attack_has_the_names_that_people_use(name):
    assert ATTACKS[name] is BoundaryDistanceSpec


def test_sound_runs_every_attack_with_one_set_of_shadow_models_for_each_scale():
    for scale, models in (("mini", 8), ("paper", 64)):
        specs = attacks_for(["membership"], "sound", scale)
        assert {spec.name for spec in specs} == {
            "loss_threshold",
            "gap",
            "boundary_distance",
            "rmia",
            "lira",
        }
        assert {spec.shadow_models for spec in specs} == {0, models}
        assert len({spec.seed for spec in specs}) == 1
        for spec in specs:
            spec.check(facts())
            spec.check(facts(1078, 359, 270))
    assert [spec.mode for spec in attacks_for(["lira"], "sound", "mini")] == ["offline", "online"]


def test_paper_is_the_published_setting():
    """ain-soph/autovul, projects/membership.py:37-41 and :68-71."""
    (spec,) = attacks_for(["membership"], "paper", "mini")
    assert (spec.name, spec.norm, spec.examples) == ("boundary_distance", "l2", 50)
    assert (spec.iterations, spec.evaluations, spec.max_evaluations, spec.query_budget) == (10, 25, 100, None)
    assert (spec.leave, spec.score_norm) == ("prediction", "linf")
    spec.check(facts(4000, 1000, 0))
    assert spec.resolved_fprs(50) == ()


def test_specs_say_themselves_in_a_label():
    assert LiraSpec().label() == "lira (online, 8 shadow models)"
    assert GapSpec().label() == "gap"
