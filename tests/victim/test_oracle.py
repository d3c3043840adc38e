"""Oracle: it counts every image, and its budget holds."""

import pytest
import torch

from nasaudit.errors import QueryBudgetError, SpecError
from nasaudit.spec.remedies.answers import RoundedSpec, TopSpec
from nasaudit.testing.victims import TinyConvNet
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.limits import Largest, Rounded
from nasaudit.victim.oracle import Oracle


class Counting(torch.nn.Module):
    """Counts what is really forwarded."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.inner = TinyConvNet()

    def forward(self, x):
        self.seen.append(len(x))
        return self.inner(x)


def oracle(budget=None, output="probabilities", limits=()):
    classifier = Classifier(Counting(), 4)
    return Oracle(classifier, budget, output, limits), classifier.network.seen, classifier


def images(count):
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_the_count_is_the_number_of_images_forwarded():
    ask, seen, _ = oracle(20)
    for count in (3, 1, 7):
        ask(images(count))
    assert ask.queries == sum(seen) == 11
    assert ask.remaining == 9


def test_a_batch_past_the_budget_is_neither_forwarded_nor_counted():
    ask, seen, _ = oracle(10)
    ask(images(6))
    with pytest.raises(QueryBudgetError, match="5 images were asked for, with 4 of 10"):
        ask(images(5))
    assert (ask.queries, seen) == (6, [6])
    ask(images(4))
    assert ask.remaining == 0


def test_outputs():
    logits = oracle(output="logits")[0](images(5))
    _, _, classifier = oracle()
    torch.testing.assert_close(logits, classifier(images(5)))
    torch.testing.assert_close(oracle()[0](images(5)), logits.exp() / logits.exp().sum(1, keepdim=True))
    labels = oracle(output="label")[0](images(5))
    assert labels.dtype == torch.int64
    assert torch.equal(labels, logits.argmax(1))


def test_probabilities_are_rounded_and_not_rescaled():
    whole = oracle()[0](images(40))
    told = oracle(limits=[Rounded(RoundedSpec())])[0](images(40))
    expected = [[float(f"{p:.1f}") for p in row] for row in whole.tolist()]
    torch.testing.assert_close(told, torch.tensor(expected))
    assert ((told.sum(1) - 1).abs() > 0.05).any()


def test_the_largest_probabilities_are_told_and_the_others_are_zero():
    whole = oracle()[0](images(40))
    told = oracle(limits=[Largest(TopSpec(k=2))])[0](images(40))
    for row, full in zip(told, whole, strict=True):
        order = full.argsort(descending=True)
        assert torch.equal(row[order[:2]], full[order[:2]])
        assert not row[order[2:]].any()
    assert torch.equal(oracle(limits=[Largest(TopSpec(k=9))])[0](images(40)), whole)


def test_limits_are_applied_in_turn():
    ask, seen, _ = oracle(30, limits=[Largest(TopSpec()), Rounded(RoundedSpec())])
    told = ask(images(20))
    assert (told > 0).sum(1).max() == 1
    torch.testing.assert_close(told.amax(1), oracle()[0](images(20)).amax(1).round(decimals=1))
    assert (ask.queries, seen, ask.remaining) == (20, [20], 10)
    asked = torch.tensor([[0.52, 0.48, 0.0, 0.0]])
    two_steps = [lambda told: told.round(decimals=0), lambda told: told + 1]
    assert Oracle(lambda pixels: asked.log(), limits=two_steps)(images(1)).tolist() == [[2, 1, 1, 1]]


def test_nothing_leaks_a_gradient():
    answer = oracle()[0](images(2).requires_grad_())
    assert not answer.requires_grad


def test_without_a_budget_it_only_counts():
    ask, _, _ = oracle()
    ask(images(9))
    assert (ask.queries, ask.remaining) == (9, None)


def test_wrong_settings_are_refused():
    classifier = Classifier(TinyConvNet(), 4)
    with pytest.raises(SpecError, match="query_budget"):
        Oracle(classifier, -1)
    with pytest.raises(SpecError, match="output"):
        Oracle(classifier, 1, "labels")  # type: ignore[arg-type]
    for output in ("label", "logits"):
        with pytest.raises(SpecError, match="limits: expected none, without probabilities, got 1"):
            Oracle(classifier, 1, output, [Rounded(RoundedSpec())])
