"""The ensemble: each member gets the survivors only, with its own access."""

import pytest
import torch

from nasaudit.attacks.evasion.base import EvasionAttack
from nasaudit.attacks.evasion.ensemble import Ensemble
from nasaudit.attacks.evasion.fab import Fab
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import (
    ATTACKS,
    ApgdSpec,
    AutoAttackSpec,
    DataFacts,
    EnsembleSpec,
    FabSpec,
    FgsmSpec,
    PgdSpec,
    SquareSpec,
    TransferSpec,
)
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.evasion import EvasionConformance
from nasaudit.testing.victims import trained_conv_net
from nasaudit.victim.classifier import Classifier


class TestEnsemble(EvasionConformance):
    sizes = (16, 7, 20)

    def attack(self) -> EvasionAttack[Classifier]:
        return Ensemble(
            EnsembleSpec(members=(FgsmSpec(), ApgdSpec(loss="dlr", steps=5), SquareSpec(queries=20)))
        )


class TestAutoAttack(EvasionConformance):
    sizes = (16, 7, 20)

    def attack(self) -> EvasionAttack[Classifier]:
        return Ensemble(AutoAttackSpec(steps=4, queries=20))


def setting():
    split = synthetic_split(60, seed=9)
    return Classifier(trained_conv_net(), 4), split.pixels(), Objective(split.labels), split.indices


def test_it_breaks_what_any_member_breaks_on_the_survivors(monkeypatch):
    victim, pixels, objective, indices = setting()
    alone = Ensemble(EnsembleSpec(members=(FgsmSpec(),))).perturb(
        victim, pixels, objective, 0.08, indices=indices
    )
    asked = []
    perturb = EvasionAttack.perturb

    def spied(attack, victim, images, *rest, **named):
        asked.append((attack.spec.name, len(images)))
        return perturb(attack, victim, images, *rest, **named)

    monkeypatch.setattr(EvasionAttack, "perturb", spied)
    spec = EnsembleSpec(members=(FgsmSpec(), PgdSpec(steps=10), SquareSpec(queries=100)))
    outcome = Ensemble(spec).perturb(victim, pixels, objective, 0.08, indices=indices)
    assert [name for name, _ in asked] == ["ensemble", "fgsm", "pgd", "square"]
    assert asked[1][1] == 60
    assert asked[2][1] == 60 - int(alone.broken.sum())
    assert asked[3][1] < asked[2][1]
    assert outcome.broken[alone.broken].all()
    assert outcome.broken.sum() > alone.broken.sum()
    assert torch.equal(outcome.images[alone.broken], alone.images[alone.broken])


def test_members_take_norm_goal_and_epsilons_from_the_ensemble():
    spec = EnsembleSpec(goal="least_likely", epsilons=(0.1,), images=7)
    assert [member.name for member in spec.members] == ["apgd", "apgd", "square"]
    assert {(m.goal, m.norm, m.epsilons, m.images) for m in spec.members} == {
        ("least_likely", "linf", (0.1,), 7)
    }
    again = EnsembleSpec.model_validate(spec.model_dump(mode="json"))
    assert again.digest() == spec.digest()


def test_members_by_name():
    spec = EnsembleSpec.parse({"members": ["fgsm", {"name": "auto_pgd", "loss": "dlr"}]})
    assert [member.name for member in spec.members] == ["fgsm", "apgd"]


@pytest.mark.parametrize("member", [TransferSpec(), EnsembleSpec(), "autoattack", "ddn"])
def test_what_cannot_be_a_member_is_refused(member):  # ddn: of an ensemble in linf
    with pytest.raises(SpecError, match=r"members"):
        EnsembleSpec.parse({"members": [member]})


def test_autoattack_is_the_authors_standard_version():
    # github.com/fra31/auto-attack, autoattack.py at a392200, 306-320: apgd-ce, apgd-t, fab-t, square; one start each,
    # 9 classes, 5,000 queries; 33-48: 100 iterations
    members = AutoAttackSpec(norm="l2").members
    assert [member.name for member in members] == ["apgd", "apgd", "fab", "square"]
    assert {member.norm for member in members} == {"l2"}
    apgd, targeted, fab, square = members
    assert (apgd.loss, apgd.steps, apgd.restarts, apgd.target_classes) == ("ce", 100, 1, None)
    assert (targeted.loss, targeted.steps, targeted.restarts, targeted.target_classes) == ("dlr", 100, 1, 9)
    assert (fab.steps, fab.target_classes, fab.alpha_max, fab.eta, fab.beta) == (100, 9, 0.1, 1.05, 0.9)
    assert square.queries == 5000
    assert type(ATTACKS["auto_attack"]()) is AutoAttackSpec


def test_a_nearest_example_counts_within_epsilon():
    victim, pixels, objective, _ = setting()
    found = Fab(FabSpec(steps=20)).minimise(victim, pixels, objective)
    outcome = Ensemble(EnsembleSpec(members=(FabSpec(steps=20),))).perturb(victim, pixels, objective, 0.08)
    assert torch.equal(outcome.broken, found.distance <= 0.08)
    assert 0 < outcome.broken.sum() < 60
    assert torch.equal(outcome.images[outcome.broken], found.images[outcome.broken])


def test_autoattack_needs_four_classes_for_its_ratio():
    facts = DataFacts(3, (1, 8, 8), dict)
    with pytest.raises(SpecError, match="`ce` for data with fewer than 4 classes"):
        AutoAttackSpec().check(facts)
    AutoAttackSpec(loss="ce").check(facts)


@pytest.mark.parametrize("wish", [{"goal": "least_likely"}, {"min_confidence": 0.5}])
def test_autoattack_measures_robust_accuracy_alone(wish):
    with pytest.raises(SpecError, match=next(iter(wish))):
        AutoAttackSpec.parse(wish)
