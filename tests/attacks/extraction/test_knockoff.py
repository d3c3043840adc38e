"""What a thief asks, what it pays, and what it trains."""

import pytest
import torch

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import build
from nasaudit.attacks.extraction.base import TransferSet
from nasaudit.attacks.extraction.knockoff import Knockoff
from nasaudit.errors import DataError, SpecError
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import AdaptiveKnockoffSpec, KnockoffSpec
from nasaudit.spec.attacks.choice import attacks_for
from nasaudit.spec.recipes import recipe, surrogate_training
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.extraction import ExtractionConformance
from nasaudit.testing.victims import trained_conv_net
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

SHAPE, CLASSES = (1, 8, 8), 4
POOL = synthetic_split(96, CLASSES, SHAPE, seed=21)
TEST = synthetic_split(400, CLASSES, SHAPE, seed=22)
RECIPE = TrainingSpec(epochs=6, batch_size=16, crop=0)
SURROGATE = resolve(choose("vgg"), "mini", CLASSES, SHAPE)


class TestSoft(ExtractionConformance):
    def attack(self):
        return Knockoff(KnockoffSpec())


class TestHard(ExtractionConformance):
    output = "label"

    def attack(self):
        return Knockoff(KnockoffSpec(labels="hard"))


def victim():
    return Classifier(trained_conv_net(SHAPE, CLASSES), CLASSES, input_shape=SHAPE)


def steal(oracle, budget, spec=None, seed=5, training=RECIPE):
    return Knockoff(spec or KnockoffSpec()).steal(
        oracle, POOL, budget, build(SURROGATE, 1), training, seed=seed
    )


def agreement(surrogate, classifier):
    with torch.no_grad():
        says, copies = (model(TEST.pixels()).argmax(1) for model in (classifier, surrogate))
    return float((says == copies).float().mean())


@pytest.mark.parametrize("budget", [2, 40, 96])
def test_the_oracle_counts_exactly_the_images_that_the_victims_network_saw(budget):
    classifier, seen = victim(), []
    classifier.network.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    oracle = Oracle(classifier, budget)
    stolen = steal(oracle, budget)
    assert sum(seen) == oracle.queries == len(stolen.transfer) == budget


def test_soft_answers_are_the_victims_probabilities_in_the_order_of_asking():
    classifier = victim()
    transfer = steal(Oracle(classifier), 50).transfer
    with torch.no_grad():
        expected = classifier(POOL.pixels(transfer.positions)).double().softmax(1)
    torch.testing.assert_close(transfer.answers.double(), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(transfer.answers.sum(1), torch.ones(50))
    assert float(transfer.answers.min()) >= 0


def test_hard_answers_are_the_predicted_classes():
    classifier = victim()
    transfer = steal(Oracle(classifier, output="label"), 50, KnockoffSpec(labels="hard")).transfer
    assert torch.equal(transfer.answers, classifier(POOL.pixels(transfer.positions)).argmax(1))


def test_a_surrogate_that_is_given_logits_is_caught():
    with pytest.raises(DataError, match="probabilities"):
        steal(Oracle(victim(), output="logits"), 20)


@pytest.mark.parametrize(
    "answers",
    [
        torch.tensor([[0.5, 0.6]]),
        torch.tensor([[1.5, -0.5]]),
        torch.tensor([[float("nan"), 1.0]]),
        torch.tensor([1.0]),
        torch.tensor([[1, 0]]),
    ],
)
def test_answers_that_are_neither_probabilities_nor_classes_are_refused(answers):
    with pytest.raises(DataError, match="probabilities"):
        TransferSet(torch.arange(1), answers)


def test_when_the_oracle_stops_answering_what_was_answered_is_kept_and_trained_on():
    oracle = Oracle(victim(), query_budget=40)
    stolen, whole = steal(oracle, 96), steal(Oracle(victim()), 96)
    assert oracle.queries == 40
    assert torch.equal(stolen.transfer.positions, whole.transfer.positions[:40])
    torch.testing.assert_close(stolen.transfer.answers, whole.transfer.answers[:40], atol=1e-6, rtol=0)
    assert not torch.equal(stolen.surrogate(TEST.pixels()), build(SURROGATE, 1).eval()(TEST.pixels()))


def test_a_budget_of_nothing_leaves_the_surrogate_as_it_was_built_and_at_chance():
    classifier = victim()
    oracle = Oracle(classifier, 0)
    stolen = steal(oracle, 0)
    assert oracle.queries == len(stolen.transfer) == 0
    assert torch.equal(stolen.surrogate(TEST.pixels()), build(SURROGATE, 1).eval()(TEST.pixels()))
    assert agreement(stolen.surrogate, classifier) <= 0.5  # 4 classes


def test_answers_to_the_whole_pool_make_a_good_copy():
    classifier = victim()
    stolen = steal(Oracle(classifier), 96, training=RECIPE.model_copy(update={"epochs": 20}))
    assert agreement(stolen.surrogate, classifier) > 0.9


def test_a_budget_that_the_pool_does_not_have_is_refused_before_anything_is_asked():
    oracle = Oracle(victim())
    with pytest.raises(SpecError, match="from 0 to 96, the images of the pool, got 97"):
        steal(oracle, 97)
    assert oracle.queries == 0


def test_a_small_transfer_set_is_trained_for_as_many_steps_as_the_recipe_asks():
    victims = TrainingSpec(epochs=10, batch_size=64, keep="best_validation", label_smoothing=0.1)
    for images, batches in ((20, 1), (94, 2), (750, 23)):
        training = surrogate_training(KnockoffSpec(batch_size=32), victims, images)
        assert training.epochs * batches >= 250
        assert training.epochs * batches < 250 + batches or training.epochs == 20
        assert (training.keep, training.label_smoothing, training.batch_size) == ("last", 0.0, 32)


def test_published_setting_the_surrogate_is_trained_as_the_artifact_does_it():
    """Its loop written out: weights after two epochs, and the hard labels that they rest on.

    ain-soph/autovul, projects/extraction_attack.py:80 calls KnockoffNets with the trainer's optimiser (SGD, momentum
    .9 and decay 5e-4 by base/configs/trainer.yml, rate .025 by vision/configs/trainer.yml; no --lr_scheduler and no
    --grad_clip in bash/extraction.sh); Trusted-AI/adversarial-robustness-toolbox 1.9.1, estimators/classification/
    pytorch.py:380 to 414: arg max of the answers, shuffled batches of the images that were asked about, plain steps.
    """
    (attack,) = attacks_for(["extraction"], "paper", "paper")
    victims = recipe("paper", "paper", "cifar10", 3)
    training = surrogate_training(attack, victims, 96)
    assert (training.epochs, training.batch_size) == (25, 96)
    assert surrogate_training(attack, victims, 16_000).epochs == 25
    (mini,) = attacks_for(["extraction"], "paper", "mini")
    assert surrogate_training(mini, victims, 500) == training.model_copy(update={"epochs": 50})
    training = training.model_copy(update={"epochs": 2, "batch_size": 24})
    classifier = victim()
    stolen = Knockoff(attack).steal(
        Oracle(classifier, 48, "label"), POOL, 48, build(SURROGATE, 1), training, seed=5
    )

    images = POOL.images[stolen.transfer.positions].float() / 255
    with torch.no_grad():
        labels = classifier(images).argmax(1)
    generator = torch.Generator().manual_seed(derive_seed("training", derive_seed("surrogate training", 5)))
    theirs = build(SURROGATE, 1).train()
    velocity = [torch.zeros_like(parameter) for parameter in theirs.parameters()]
    for _ in range(2):
        for batch in torch.randperm(48, generator=generator).split(24):
            loss = torch.nn.functional.cross_entropy(theirs(images[batch]), labels[batch])
            gradients = torch.autograd.grad(loss, list(theirs.parameters()))
            with torch.no_grad():
                for p, g, v in zip(theirs.parameters(), gradients, velocity, strict=True):
                    v.mul_(0.9).add_(g + 5e-4 * p)
                    p.sub_(0.025 * v)
    torch.testing.assert_close(stolen.surrogate.state_dict(), theirs.state_dict(), rtol=1e-3, atol=1e-4)


def test_wishes_that_make_no_sense_are_refused():
    with pytest.raises(SpecError, match="ascending"):
        KnockoffSpec.parse({"budgets": [200, 100]})
    with pytest.raises(SpecError, match="at least 2"):
        KnockoffSpec.parse({"budgets": [1, 2]})
    with pytest.raises(SpecError, match="nothing beside"):
        KnockoffSpec.parse({"budgets": [10], "budget_shares": [0.5]})
    with pytest.raises(SpecError, match="each once"):
        AdaptiveKnockoffSpec.parse({"rewards": ["loss", "loss"]})
    assert KnockoffSpec().budgets_of(750) == (94, 188, 375, 750)


@pytest.mark.slow
def test_a_plain_loop_over_the_same_transfer_set_comes_to_the_same_agreement():
    """An SGD loop of its own, no augmentation, three starts each: the means are within 2 points."""
    from nasaudit.data.load import load_data
    from nasaudit.spec.data import DataSpec
    from nasaudit.training.loop import fit

    bundle = load_data(DataSpec(name="digits"), None)
    spec = resolve(choose("vgg"), "mini", 10, SHAPE)
    recipe = TrainingSpec(epochs=12, batch_size=32, optimizer="sgd", learning_rate=0.05, crop=0)
    network = build(spec, 0, bundle.train.moments)
    fit(network, bundle.train, recipe, 0)
    classifier = Classifier(network, 10)
    training = recipe.model_copy(update={"epochs": 25})

    def agrees(surrogate):
        with torch.no_grad():
            says, copies = (model(bundle.test.pixels()).argmax(1) for model in (classifier, surrogate.eval()))
        return float((says == copies).float().mean())

    ours, plain = [], []
    for start in range(3):
        stolen = Knockoff(KnockoffSpec()).steal(
            Oracle(classifier),
            bundle.pool,
            256,
            build(spec, start, bundle.train.moments),
            training,
            seed=start,
        )
        ours.append(agrees(stolen.surrogate))
        surrogate = build(spec, start, bundle.train.moments).train()
        pixels = bundle.pool.pixels(stolen.transfer.positions)
        optimiser = torch.optim.SGD(surrogate.parameters(), 0.05, momentum=0.9, weight_decay=0.01)
        generator = torch.Generator().manual_seed(start)
        total = 25 * 8
        for step in range(total):
            if step % 8 == 0:
                order = torch.randperm(256, generator=generator)
            for group in optimiser.param_groups:
                group["lr"] = 0.05 * (1 + torch.cos(torch.tensor(torch.pi * step / total)).item()) / 2
            rows = order[32 * (step % 8) :][:32]
            log_s = surrogate(pixels[rows]).log_softmax(1)
            loss = -(stolen.transfer.answers[rows] * log_s).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(surrogate.parameters(), 5.0)
            optimiser.step()
        plain.append(agrees(surrogate))
    assert min(ours) > 0.6
    assert sum(ours) / 3 == pytest.approx(sum(plain) / 3, abs=0.02), (ours, plain)
