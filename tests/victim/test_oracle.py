"""Oracle: it counts every image, and its budget holds."""

import pytest
import torch

from nasaudit.errors import QueryBudgetError, SpecError
from nasaudit.testing.victims import TinyConvNet
from nasaudit.victim.classifier import Classifier
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


def oracle(budget=None, output="probabilities"):
    classifier = Classifier(Counting(), 4)
    return Oracle(classifier, budget, output), classifier.network.seen, classifier


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
