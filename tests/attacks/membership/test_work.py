"""The work of a MembershipTask: on models trained briefly, never, and until they knew their images by heart."""

import json
from functools import cache

import numpy as np
import pytest
import torch

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.attacks.membership import work
from nasaudit.attacks.membership.measures import auc
from nasaudit.attacks.membership.work import choose_images, measure_membership
from nasaudit.data.load import load_data
from nasaudit.data.shadows import shadow_train
from nasaudit.data.split import DataBundle
from nasaudit.planning.experiments import Build, membership
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import (
    BoundaryDistanceSpec,
    GapSpec,
    LiraSpec,
    LossThresholdSpec,
    RmiaSpec,
)
from nasaudit.spec.data import DataSpec, ShadowSubset
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.artefacts import WEIGHTS
from nasaudit.store.workspace import Workspace
from nasaudit.testing.bench import record_of
from nasaudit.testing.data import synthetic_split
from nasaudit.training import checkpoint
from nasaudit.training.loop import fit

ARCHITECTURE = resolve(ArchChoice(name="vgg"), "mini", 10, (1, 8, 8))
VICTIM = TrainTask(
    architecture=ARCHITECTURE,
    data=DataSpec(name="digits"),
    training=TrainingSpec(epochs=1, crop=0, optimizer="sgd", learning_rate=0.05),
    seed=0,
)
SMALL_BOUNDARY = BoundaryDistanceSpec(iterations=1, evaluations=10, query_budget=60)
NO_SHADOWS = [LossThresholdSpec(), GapSpec(), SMALL_BOUNDARY]
EVERY = [*NO_SHADOWS, RmiaSpec(models=4), LiraSpec(models=4, mode="offline"), LiraSpec(models=4)]
NAMES = [f"{spec.name} {getattr(spec, 'mode', '')}".strip() for spec in EVERY]


def planned(spec, victim=VICTIM):
    return membership(victim, spec, Build("mini", 10, (1, 8, 8)))


def run(spec, folder, find, **workspace):
    folder.mkdir(exist_ok=True)
    found = measure_membership(planned(spec), Workspace(folder, find, **workspace))
    return found, dict(np.load(folder / "scores.npz"))


def value(found, metric, **setting):
    (only,) = [m for m in found if m.metric == metric and set(setting.items()) <= set(m.setting)]
    return only.estimate


@pytest.mark.parametrize("spec", EVERY, ids=NAMES)
def test_scores_curve_and_measurements_agree(spec, bench, tmp_path):
    found, scores = run(spec, tmp_path / "a", bench)
    assert len(scores["index"]) == 2 * 359
    assert scores["member"].sum() == 359
    assert np.isfinite(scores["score"]).all()
    bundle = load_data(VICTIM.data, tmp_path)
    assert set(scores["index"][scores["member"]]) <= set(bundle.train.indices.tolist())
    assert set(scores["index"][~scores["member"]]) == set(bundle.test.indices.tolist())
    expected = auc(scores["score"][scores["member"]], scores["score"][~scores["member"]])
    assert value(found, "auc") == expected
    # 359 non-members cannot tell .1 %, and nobody asked for it.
    assert [dict(m.setting)["fpr"] for m in found if m.metric == "tpr_at_fpr"] == ["0.01"]
    (curve,) = json.loads((tmp_path / "a" / "curves.json").read_text())
    area = np.trapezoid(curve["y"], curve["x"])
    assert area == pytest.approx(expected.value, abs=0.02)  # thinned
    assert run(spec, tmp_path / "b", bench)[0] == found
    assert (tmp_path / "a" / "scores.npz").read_bytes() == (tmp_path / "b" / "scores.npz").read_bytes()


@pytest.mark.parametrize("spec", EVERY, ids=NAMES)
def test_what_an_attack_costs_is_counted(spec, bench, tmp_path):
    found, scores = run(spec, tmp_path / "a", bench)
    pool = len(load_data(VICTIM.data, tmp_path).pool)
    if spec.name == "boundary_distance":
        assert value(found, "queries").value == scores["queries"].mean()
        assert scores["queries"].max() <= 60
    else:
        asked = 718 + (pool if spec.name == "rmia" else 0)
        assert value(found, "queries").value == asked / 718
    assert len([m for m in found if m.metric == "shadow_models"]) == bool(spec.shadow_models)


def test_progress_is_told_and_never_falls(bench, tmp_path):
    told = []
    run(LiraSpec(models=4), tmp_path / "a", bench, progress=lambda done, text="": told.append((done, text)))
    shares = [done for done, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert {text for _, text in told} >= {"victim", "shadow model 1 of 4", "shadow model 4 of 4"}


def test_seeds_and_attacks_share_the_shadow_models_and_no_model_has_the_weights_of_a_victim():
    other_seed = VICTIM.model_copy(update={"seed": 1})
    tasks = [
        planned(LiraSpec(models=4)),
        planned(LiraSpec(models=4, mode="offline")),
        planned(RmiaSpec(models=4)),
        planned(LiraSpec(models=4), other_seed),
    ]
    shadows = {shadow.digest() for task in tasks for shadow in task.shadows}
    assert len(shadows) == 4
    seeds = [shadow.seed for shadow in tasks[0].shadows]
    assert len(set(seeds)) == 4
    assert not set(seeds) & set(range(1000))
    assert [shadow.subset.model for shadow in tasks[0].shadows] == [0, 1, 2, 3]
    assert all(shadow.training == VICTIM.training for shadow in tasks[0].shadows)
    assert not {s.digest() for s in planned(LiraSpec(models=4, seed=1)).shadows} & shadows
    assert planned(LossThresholdSpec()).shadows == ()


def test_every_architecture_gets_the_same_images_and_few_are_among_many(tmp_path):
    bundle = load_data(VICTIM.data, tmp_path)
    few, member = choose_images(bundle, LossThresholdSpec(examples=50), 0)
    many, _ = choose_images(bundle, GapSpec(examples=200), 0)
    assert len(few) == 100
    assert member.sum() == 50
    assert set(few.indices.tolist()) <= set(many.indices.tolist())
    assert not torch.equal(few.indices, choose_images(bundle, LossThresholdSpec(examples=50), 1)[0].indices)
    assert torch.isin(few.indices[torch.from_numpy(member)], bundle.train.indices).all()
    assert torch.isin(few.indices[torch.from_numpy(~member)], bundle.test.indices).all()
    assert torch.equal(few.indices, few.indices.sort().values)


# Models that never saw a training image, and one that knows its own by heart.


def installed(monkeypatch, folder, victim, bundle, shadow=None):
    """A workspace in which the victim and the shadow models are these networks."""
    monkeypatch.setattr(work, "load_victim", lambda task, workspace: (victim, bundle))

    def find(task):
        place = folder / task.digest()
        if not place.exists():
            place.mkdir()
            checkpoint.save(shadow(task), place / WEIGHTS, clean_accuracy=0.1)
        return record_of(task), place

    return Workspace(folder, find)


@pytest.mark.parametrize("spec", EVERY, ids=NAMES)
def test_an_untrained_model_gives_away_nothing(spec, monkeypatch, tmp_path):
    bundle = load_data(VICTIM.data, tmp_path)

    def untrained(seed):
        return build(ARCHITECTURE, derive_seed("untrained", seed), bundle.train.moments).eval()

    workspace = installed(monkeypatch, tmp_path, untrained(0), bundle, lambda task: untrained(task.seed))
    estimate = value(measure_membership(planned(spec), workspace), "auc")
    assert estimate.low <= 0.5 <= estimate.high


@pytest.fixture(scope="module")
def memoriser():
    """A network that learned 80 images with random labels by heart, beside 80 that it never saw."""
    labels = torch.randint(0, 10, (240,), generator=torch.Generator().manual_seed(0))
    noise = synthetic_split(240, 10, (1, 8, 8), seed=9)
    whole = type(noise)(noise.images, labels, noise.indices, 10)
    train, test, pool = (whole.take(torch.arange(80) + start) for start in (0, 80, 160))
    bundle = DataBundle(train, whole.take(torch.arange(0)), test, pool, tuple("0123456789"))
    recipe = TrainingSpec(epochs=40, batch_size=40, crop=0, weight_decay=0.0)

    @cache
    def learned(seed, model=None):
        subset = None if model is None else ShadowSubset(model=model, models=4)
        split = train if subset is None else shadow_train(bundle, subset)
        network = build(ARCHITECTURE, seed, bundle.train.moments)
        fit(network, split, recipe, seed)
        return network

    return learned(0), bundle, learned


@pytest.mark.parametrize("spec", EVERY, ids=NAMES)
def test_a_model_that_learned_by_heart_gives_its_members_away(spec, memoriser, monkeypatch, tmp_path):
    victim, bundle, learned = memoriser
    workspace = installed(
        monkeypatch, tmp_path, victim, bundle, lambda task: learned(1 + task.subset.model, task.subset.model)
    )
    found = measure_membership(planned(spec), workspace)
    assert value(found, "auc").value > 0.9


def test_turned_over_truth_or_scores_fail_the_self_tests(memoriser, monkeypatch, tmp_path):
    """The defects that the two tests above are there to catch."""
    victim, bundle, _ = memoriser
    swapped = DataBundle(bundle.test, bundle.validation, bundle.train, bundle.pool, bundle.class_names)
    workspace = installed(monkeypatch, tmp_path, victim, swapped)
    for spec in NO_SHADOWS:
        assert value(measure_membership(planned(spec), workspace), "auc").value < 0.1
