"""LiRA and RMIA against loops over images and models in float64, written from the papers' formulas."""

import math
import statistics
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.attacks.membership.base import Knowledge, ShadowModels
from nasaudit.attacks.membership.lira import Lira
from nasaudit.attacks.membership.measures import auc
from nasaudit.attacks.membership.rmia import Rmia, dominance, expected
from nasaudit.attacks.membership.signals import ask, log_odds, log_probability, views
from nasaudit.errors import NonFiniteError
from nasaudit.spec.attacks import LiraSpec, RmiaSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.membership import MembershipConformance
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

CLASSES, MODELS, IMAGES, POOL = 4, 6, 40, 30
SHAPE = (1, 8, 8)
PLAIN = TrainingSpec(crop=0)


class TestLira(MembershipConformance):
    def attack(self):
        return Lira(LiraSpec(models=self.models))


class TestLiraOffline(MembershipConformance):
    def attack(self):
        return Lira(LiraSpec(models=self.models, mode="offline"))


class TestRmia(MembershipConformance):
    def attack(self):
        return Rmia(RmiaSpec(models=self.models))


class Linear(nn.Module):
    """Logits that are a random linear map of the pixels."""

    def __init__(self, seed, scale=1.0):
        super().__init__()
        weight = torch.randn(CLASSES, 64, generator=torch.Generator().manual_seed(seed))
        self.weight = nn.Parameter(scale * weight)

    def forward(self, x):
        return x.flatten(1) @ self.weight.T


def classifier(seed):
    return Classifier(Linear(seed), CLASSES)


def knowledge(training=PLAIN, pool=POOL):
    """Six shadow models; four have seen each image, which four hangs on its index."""

    def trained_on(indices):
        rng = np.random.default_rng(0)
        ranks = rng.random((MODELS, 2000)).argsort(axis=0).argsort(axis=0)
        return (ranks < 4)[:, indices.numpy()]

    shadows = ShadowModels([lambda k=k: classifier(10 + k) for k in range(MODELS)], trained_on)
    return Knowledge(shadows, synthetic_split(pool, CLASSES, SHAPE, seed=3, first_index=1000), training)


IMAGES_SPLIT = synthetic_split(IMAGES, CLASSES, SHAPE, seed=1, first_index=500)


def run(attack, known):
    return attack.score(Oracle(classifier(0), output=attack.output), IMAGES_SPLIT, known, seed=7).score


@cache
def answers(model, split):
    """Logits of all images at once: in other batches float32 would round otherwise."""
    return model(split.pixels()).double().tolist()


def probability(model, split, k):
    """p_y of one image, from the definition of the softmax."""
    z = answers(model, split)[k]
    return math.exp(z[int(split.labels[k])]) / sum(math.exp(value) for value in z)


def scaled(model, split, k):
    p = probability(model, split, k)
    return math.log(p / (1 - p))


def log_density(x, mean, variance):
    return math.log(math.exp(-((x - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance))


def slow_lira(spec, known, versions):
    victim, models = classifier(0), [load() for load in known.shadows.load]
    inside = known.shadows.trained_on(IMAGES_SPLIT.indices)
    total = [0.0] * IMAGES
    for version in versions:
        values = [[scaled(model, version, k) for model in models] for k in range(IMAGES)]
        sides = {
            side: [[values[k][j] for j in range(MODELS) if inside[j, k] == side] for k in range(IMAGES)]
            for side in (True, False)
        }
        variance = {
            side: [statistics.variance(of_image) for of_image in sides[side]] for side in (True, False)
        }
        if spec.variance != "example":
            # All images have as many models, so the pooled variance is the mean of the variances.
            variance = {side: [statistics.fmean(variance[side])] * IMAGES for side in variance}
        for k in range(IMAGES):
            phi = scaled(victim, version, k)
            # tensorflow/privacy, research/mi_lira_2021/plot.py:82-83: np.median of the scores, std about their mean
            middle = statistics.median if spec.centre == "median" else statistics.fmean
            mean = {side: middle(sides[side][k]) for side in sides}
            if spec.mode == "online":
                terms = [log_density(phi, mean[side], variance[side][k]) for side in (True, False)]
                total[k] += (terms[0] - terms[1]) / len(versions)
            else:
                total[k] += (phi - mean[False]) / math.sqrt(variance[False][k]) / len(versions)
    return total


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("variance", ["auto", "global", "example"])
@pytest.mark.parametrize("centre", ["mean", "median"])
def test_lira_is_the_likelihood_ratio_of_the_paper(mode, variance, centre):
    spec, known = LiraSpec(mode=mode, variance=variance, centre=centre, models=MODELS), knowledge()
    assert run(Lira(spec), known) == pytest.approx(slow_lira(spec, known, [IMAGES_SPLIT]), abs=1e-6)


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_lira_with_augmented_queries_averages_over_them(mode):
    spec = LiraSpec(mode=mode, models=MODELS, augmentations=3)
    known = knowledge(TrainingSpec(crop=2, flip=True))
    versions = list(views(IMAGES_SPLIT, known.training, 3, 7))
    victim = Oracle(classifier(0), output="logits")
    found = Lira(spec).score(victim, IMAGES_SPLIT, known, seed=7).score
    assert found == pytest.approx(slow_lira(spec, known, versions), abs=1e-6)
    assert victim.queries == 3 * IMAGES
    assert torch.equal(versions[0].images, IMAGES_SPLIT.images)
    assert not torch.equal(versions[1].images, versions[2].images)


def test_the_offline_score_orders_images_as_the_one_sided_test_does():
    spec, known = LiraSpec(mode="offline", models=MODELS), knowledge()
    score = run(Lira(spec), known)
    tail = [0.5 * math.erfc(-value / math.sqrt(2)) for value in score]  # Pr[Z <= phi]
    assert np.array_equal(np.argsort(score), np.argsort(tail))


def test_from_64_models_on_lira_takes_the_variance_of_each_image():
    def every_other(indices):
        return np.arange(64)[:, None] % 2 == np.zeros(len(indices), int)

    many = ShadowModels([lambda k=k: classifier(k % 30) for k in range(64)], every_other)
    wide = Knowledge(many, knowledge().pool, PLAIN)
    automatic, example, shared = (
        run(Lira(LiraSpec(models=64, variance=variance)), wide) for variance in ("auto", "example", "global")
    )
    assert np.array_equal(automatic, example)
    assert not np.allclose(automatic, shared)


def slow_rmia(spec, known):
    victim, models = classifier(0), [load() for load in known.shadows.load]

    def ratio(split, k):
        seen = known.shadows.trained_on(split.indices)[:, k]
        p = [probability(model, split, k) for model in models]
        without = statistics.fmean(p[j] for j in range(MODELS) if not seen[j])
        if spec.mode == "online":
            prior = (statistics.fmean(p[j] for j in range(MODELS) if seen[j]) + without) / 2
        else:
            prior = ((1 + spec.a) * without + (1 - spec.a)) / 2
        return probability(victim, split, k) / prior

    of_z = [ratio(known.pool, k) for k in range(len(known.pool))]
    return [
        sum(ratio(IMAGES_SPLIT, k) / other > spec.gamma for other in of_z) / len(of_z) for k in range(IMAGES)
    ]


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize(("gamma", "a"), [(1.0, 0.3), (2.0, 0.3), (1.0, 1.0)])
def test_rmia_is_the_share_of_dominated_pairs(mode, gamma, a):
    spec, known = RmiaSpec(mode=mode, gamma=gamma, a=a, models=MODELS), knowledge()
    score = run(Rmia(spec), known)
    assert score == pytest.approx(slow_rmia(spec, known), abs=1e-6)
    assert 0 < score.mean() < 1


def test_rmia_asks_about_each_image_once_and_about_the_population():
    for population, asked in ((None, IMAGES + POOL), (12, IMAGES + 12)):
        victim = Oracle(classifier(0), output="logits")
        attack = Rmia(RmiaSpec(models=MODELS, population=population))
        score = attack.score(victim, IMAGES_SPLIT, knowledge(), seed=0).score
        assert victim.queries == asked
        levels = asked - IMAGES
        assert np.allclose(score * levels, np.round(score * levels))


def test_a_pair_is_dominated_only_above_gamma():
    assert dominance(np.array([2.0, 2.1]), np.array([1.0, 1.0, 4.0]), 2.0).tolist() == [0, 2 / 3]


def test_the_offline_correction_moves_the_prior_towards_one():
    theirs, inside = np.array([[0.2], [0.4], [1.0]]), np.array([[False], [False], [True]])
    assert expected(theirs, inside, False, 1.0) == pytest.approx([0.3])
    assert expected(theirs, inside, False, 0.0) == pytest.approx([0.65])
    assert expected(theirs, inside, True, 0.0) == pytest.approx([0.65])


@pytest.mark.parametrize("attack", [Lira(LiraSpec()), Lira(LiraSpec(mode="offline")), Rmia(RmiaSpec())])
def test_a_model_that_is_sure_of_what_it_has_seen_gives_its_members_away(attack):
    """The victim is a shadow model: the images that it has seen, in the very mask, get the higher scores."""
    inside = knowledge().shadows.trained_on(torch.arange(2000))

    class Remembers(nn.Module):
        """Knows the class of what it has seen better; an image's brightest corner pixels hold its index."""

        def __init__(self, seen):
            super().__init__()
            self.seen = torch.from_numpy(seen)
            self.noise = nn.Parameter(
                torch.randn(2000, CLASSES, generator=torch.Generator().manual_seed(len(seen)))
            )

        def forward(self, x):
            index = (x[:, 0, 0, 0] * 255).round().long() * 50 + (x[:, 0, 0, 1] * 255).round().long()
            logits = 0.5 * self.noise[index]
            right = torch.nn.functional.one_hot(index % CLASSES, CLASSES)
            return logits + right * torch.where(self.seen[index], 3.0, 1.0)[:, None]

    def indexed(first, count):
        split = synthetic_split(count, CLASSES, SHAPE, first_index=first)
        images = split.images.clone()
        images[:, 0, 0, 0], images[:, 0, 0, 1] = (split.indices // 50).byte(), (split.indices % 50).byte()
        return type(split)(images, split.indices % CLASSES, split.indices, CLASSES)

    shadows = ShadowModels(
        [lambda k=k: Classifier(Remembers(inside[k]), CLASSES) for k in range(MODELS)],
        lambda indices: inside[:, indices.numpy()],
    )
    seen = np.random.default_rng(5).random(2000) < 0.5
    seen[1000:] = False  # the pool's images are no members
    images, pool = indexed(0, 400), indexed(1000, 200)
    victim = Oracle(Classifier(Remembers(seen), CLASSES), output="logits")
    score = attack.score(victim, images, Knowledge(shadows, pool, PLAIN), seed=0).score
    assert auc(score[seen[:400]], score[~seen[:400]]).low > 0.9


def test_the_log_odds_do_not_round_where_a_model_is_certain():
    logits = torch.tensor([[90.0, 0.0, -5.0], [0.0, 90.0, 0.0], [1.0, 1.0, 1.0]])
    labels = torch.tensor([0, 0, 2])
    phi = log_odds(logits, labels)
    assert phi == pytest.approx([90 - math.log(1 + math.exp(-5)), -90, -math.log(2)], abs=1e-12)
    loss = -log_probability(phi)
    assert 0 < loss[0] < 1e-38
    assert loss[1:] == pytest.approx([90, math.log(3)], abs=1e-9)


def test_logits_that_are_no_numbers_are_refused():
    with pytest.raises(NonFiniteError, match="NaN or infinite"):
        log_odds(torch.tensor([[0.0, float("nan")]]), torch.tensor([0]))


def test_answers_come_in_batches_and_leave_the_global_generator_alone():
    split, told = synthetic_split(600, CLASSES, SHAPE), []
    state = torch.random.get_rng_state()
    answers = ask(classifier(0), split, told.append)
    list(views(split, TrainingSpec(flip=True), 3, 0))
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.testing.assert_close(answers, Linear(0)(split.pixels()).detach())
    assert told == pytest.approx([256 / 600, 512 / 600, 1.0])
    assert ask(classifier(0), split.take(torch.arange(0))).shape == (0, CLASSES)
