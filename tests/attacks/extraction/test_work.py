"""The work of an ExtractionTask on a victim that was really trained, briefly, on the embedded digits."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.attacks.extraction import transfer
from nasaudit.attacks.extraction.work import measure_extraction
from nasaudit.data.load import load_data
from nasaudit.data.split import Split
from nasaudit.planning.experiments import Build, extraction
from nasaudit.spec.attacks import AdaptiveKnockoffSpec, KnockoffSpec
from nasaudit.spec.attacks.choice import attacks_for
from nasaudit.spec.data import DataSpec
from nasaudit.spec.tasks import TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.training.loop import fit
from nasaudit.training.work import load_victim
from nasaudit.victim.classifier import Classifier

SHAPE = (1, 8, 8)
VICTIM = TrainTask(
    architecture=resolve(choose("vgg"), "mini", 10, SHAPE),
    data=DataSpec(name="digits"),
    training=TrainingSpec(epochs=4, crop=0, optimizer="sgd", learning_rate=0.05),
    seed=0,
)
EPSILON = 16 / 255
QUICK = {"epochs": 1, "min_steps": 40, "transfer_images": 60}


def run(bench, spec, progress=lambda done, text="": None, of=VICTIM):
    task = extraction(of, spec, Build("mini", 10, SHAPE))
    return measure_extraction(task, Workspace(Path(), bench, progress))


def value(found, metric, **setting):
    (only,) = [m for m in found if m.metric == metric and set(setting.items()) <= set(m.setting)]
    return only.estimate.value


def test_every_budget_has_all_figures_and_a_true_count(bench):
    steps = []
    found = run(
        bench,
        KnockoffSpec.parse({**QUICK, "budgets": [0, 30, 200]}),
        lambda done, text="": steps.append(done),
    )
    for budget in ("0", "30", "200"):
        at = {"budget": budget, "surrogate": "same", "labels": "soft", "pool": "pool"}
        assert value(found, "queries", **at) == int(budget)
        assert value(found, "kl", **at) >= 0
        for metric in ("cross_entropy", "mean_absolute_error", "surrogate_accuracy", "transfer_asr"):
            value(found, metric, **at)
    assert value(found, "agreement", budget="0") < 0.3  # a tenth by chance
    assert value(found, "agreement", budget="200") > 0.5
    assert value(found, "floor") <= 0.2
    assert steps == sorted(steps)
    assert steps[0] >= 0
    assert steps[-1] <= 1


def test_a_smaller_budget_does_not_hang_on_the_larger_ones(bench):
    both = run(bench, KnockoffSpec.parse({**QUICK, "budgets": [30, 60]}))
    alone = run(bench, KnockoffSpec.parse({**QUICK, "budgets": [30]}))
    assert value(both, "kl", budget="30") == value(alone, "kl", budget="30")


@pytest.mark.parametrize(
    "spec",
    [
        KnockoffSpec.parse({**QUICK, "budgets": [60], "labels": "hard", "surrogate": "resnet"}),
        KnockoffSpec.parse({**QUICK, "budgets": [60], "pool": "other"}),
        KnockoffSpec.parse({**QUICK, "budgets": [60], "pool": "train", "recipe": "published"}),
        AdaptiveKnockoffSpec.parse({**QUICK, "budgets": [60]}),
    ],
    ids=lambda spec: spec.label(),
)
def test_every_way_to_ask_is_measured(bench, spec):
    found = run(bench, spec)
    at = {"surrogate": spec.surrogate, "labels": spec.labels, "pool": spec.pool, "budget": "60"}
    assert value(found, "queries", **at) == 60
    assert 0 <= value(found, "agreement", **at) <= 1


def test_published_setting_images_are_augmented_once_and_asked_about_like_that(bench, monkeypatch):
    """ain-soph/autovul, projects/extraction_attack.py:43 lists the training set before anything is asked.

    Crops and mirrors are drawn there, once for all 25 epochs; bash/extraction.sh:14 passes no --cutout.
    """
    trained = []

    def spy(surrogate, images, training, seed, targets, **rest):
        trained.append((images, training, targets))
        return fit(surrogate, images, training, seed, targets=targets, **rest)

    monkeypatch.setattr("nasaudit.attacks.extraction.base.fit", spy)
    of = VICTIM.model_copy(
        update={"training": VICTIM.training.model_copy(update={"crop": 1, "flip": True, "cutout": 3})}
    )
    (spec,) = attacks_for(["extraction"], "paper", "mini")
    spec = spec.model_copy(update={"budgets": (40, 80), "budget_shares": (), "transfer_images": 20})
    run(bench, spec.model_copy(update={"min_steps": 20, "epochs": 1}), of=of)

    network, bundle = load_victim(of, Workspace(Path(), bench))
    padded = np.pad(bundle.train.images.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = {
        padded[i, :, r : r + 8, c : c + 8][..., ::way].tobytes(): (i, r, c, way)
        for i in range(len(padded))
        for r in range(3)
        for c in range(3)
        for way in (1, -1)
    }
    (fewer, _, _), (images, training, targets) = trained
    drawn = [windows[image.tobytes()] for image in images.images.numpy()]
    assert [bundle.train.indices[i] for i, *_ in drawn] == images.indices.tolist()
    assert len({how[1:] for how in drawn}) == 18  # all shifts, both ways
    assert torch.equal(fewer.images, images.images[:40])
    assert (training.crop, training.flip, training.cutout) == (0, False, 0)
    with torch.no_grad():
        assert torch.equal(targets, network(images.pixels()).argmax(1))


def test_a_study_says_in_its_rows_what_the_victim_told(bench):
    found = {}
    for changes in ({}, {"answers": ["rounded_answers"]}, {"answers": ["top_answers"]}):
        spec = KnockoffSpec.parse({**QUICK, "budgets": [60], **changes})
        found[str(changes)] = run(bench, spec)
    whole, rounded, largest = found.values()
    settings = [{key for one in rows for key, _ in one.setting} for rows in (whole, rounded, largest)]
    assert settings[1] - settings[0] == settings[2] - settings[0] == {"answers"}
    assert value(rounded, "queries", answers="1 decimal") == 60
    assert value(largest, "queries", answers="top 1") == 60
    assert len({value(rows, "kl", budget="60") for rows in (whole, rounded, largest)}) == 3


def test_examples_made_on_a_perfect_copy_fool_as_many_as_the_optimum_in_closed_form():
    """On a linear victim the optimum is x -+ epsilon sign(w), clipped; noise of that size does far less."""
    network = LinearVictim(SHAPE)
    victim = Classifier(network, 2, input_shape=SHAPE)
    split = synthetic_split(120, 4, SHAPE, seed=31)
    with torch.no_grad():
        labels = (network.margin(split.pixels()) > 0).long()
        images = Split(split.images, labels, split.indices, 2)
        towards = torch.where(labels == 1, -1.0, 1.0)[:, None, None, None] * network.w.sign()
        optimum = (split.pixels() + EPSILON * towards).clamp(0, 1)
        expected = ((network.margin(optimum) > 0).long() != labels).float().mean()
    examples = transfer.transfer_examples(victim, images, EPSILON, 10, seed=0)
    assert (examples - images.pixels()).abs().max() <= EPSILON + 1e-7
    by_pgd = transfer.fooled(victim, examples, labels).value
    by_noise = transfer.fooled(victim, transfer.sign_noise(images, EPSILON, seed=0), labels).value
    assert by_pgd == pytest.approx(float(expected), abs=1e-6)
    assert by_pgd > 2 * by_noise
    assert transfer.fooled(victim, examples[:0], labels[:0]) is None


def test_sign_noise_moves_every_pixel_by_epsilon_and_both_ways():
    images = synthetic_split(120, 4, SHAPE, seed=31)
    change = transfer.sign_noise(images, EPSILON, seed=0) - images.pixels()
    margin = EPSILON
    inside = (images.pixels() > margin) & (images.pixels() < 1 - margin)
    torch.testing.assert_close(change[inside].abs(), torch.full_like(change[inside], EPSILON))
    assert 0.4 < float((change[inside] > 0).float().mean()) < 0.6


def test_the_rates_count_what_the_victim_takes_for_another_class():
    victim = Classifier(trained_conv_net(), 4, input_shape=SHAPE)
    images = synthetic_split(80, 4, SHAPE, seed=31)
    with torch.no_grad():
        wrong = (victim(images.pixels()).argmax(1) != images.labels).sum()
    assert transfer.fooled(victim, images.pixels(), images.labels).value == int(wrong) / 80


def test_the_thief_never_starts_from_the_victims_own_weights():
    """The same architecture with the same seed must not be the victim before its training."""
    from nasaudit.arch.network import build
    from nasaudit.randomness import derive_seed

    theirs = build(VICTIM.architecture, derive_seed("weights", VICTIM.seed))
    ours = build(VICTIM.architecture, derive_seed("surrogate", derive_seed("extraction", 0, VICTIM.seed)))
    bundle = load_data(VICTIM.data, None)
    assert not torch.allclose(theirs.eval()(bundle.test.pixels()), ours.eval()(bundle.test.pixels()))
