"""What a thief makes of probabilities that the victim has rounded or shortened."""

import pytest
import torch

from nasaudit.attacks.extraction.base import ask, rescaled
from nasaudit.errors import DataError
from nasaudit.results.replicates import distinguishing
from nasaudit.spec.attacks import KnockoffSpec
from nasaudit.spec.recipes import surrogate_training
from nasaudit.spec.remedies.answers import RoundedSpec, TopSpec
from nasaudit.spec.remedies.defences import PgdTrainingSpec, PrivateSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.victims import trained_conv_net
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.limits import Largest, Rounded
from nasaudit.victim.oracle import Oracle

SHAPE = (1, 8, 8)
POOL = synthetic_split(40, 4, SHAPE, seed=31)


def oracle(*limits, **options):
    return Oracle(Classifier(trained_conv_net(), 4, input_shape=SHAPE), limits=limits, **options)


def rounded(decimals):
    return Rounded(RoundedSpec(decimals=decimals))


def largest(k):
    return Largest(TopSpec(k=k))


def test_rows_are_divided_by_their_sums_and_nothing_told_is_nothing_known():
    told = torch.tensor([[0.9, 0.3, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]])
    expected = torch.tensor([[0.75, 0.25, 0.0, 0.0], [0.25] * 4, [0.25] * 4])
    torch.testing.assert_close(rescaled(told), expected)


@pytest.mark.parametrize("limits", [[rounded(0)], [rounded(1)], [largest(1)], [largest(2), rounded(1)]])
def test_a_thief_learns_from_distributions(limits):
    positions = torch.arange(40)
    answers = ask(oracle(*limits), POOL, positions).answers
    torch.testing.assert_close(answers.sum(1), torch.ones(40))
    whole = ask(oracle(), POOL, positions).answers
    assert not torch.equal(answers, whole)
    if isinstance(limits[0], Largest):  # what is most probable stays so
        assert torch.equal(answers.argmax(1), whole.argmax(1))


def test_what_is_told_in_full_is_not_touched_and_logits_are_still_refused():
    whole = oracle()(POOL.pixels())
    assert torch.equal(ask(oracle(), POOL, torch.arange(40)).answers, whole)
    with pytest.raises(DataError, match="probabilities"):
        ask(oracle(output="logits"), POOL, torch.arange(40))


def test_rows_of_a_study_are_told_apart_and_the_plain_ones_stay_as_they_are():
    one, two, top = RoundedSpec(), RoundedSpec(decimals=2), TopSpec(k=3)
    attacks = [KnockoffSpec(answers=limits) for limits in ((), (one,), (two,), (top, two))]
    told = distinguishing(attacks)
    assert [told[attack.digest()] for attack in attacks] == [
        {},
        {"answers": "1 decimal"},
        {"answers": "2 decimals"},
        {"answers": "top 3, 2 decimals"},
    ]


def test_a_thief_does_not_defend_its_copy():
    plain = TrainingSpec(epochs=4, label_smoothing=0.1)
    defended = plain.model_copy(update={"defences": (PgdTrainingSpec(), PrivateSpec())})
    for recipe in ("victim", "published"):
        spec = KnockoffSpec(recipe=recipe)
        assert surrogate_training(spec, defended, 100) == surrogate_training(spec, plain, 100)
