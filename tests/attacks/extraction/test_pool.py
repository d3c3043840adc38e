"""Where the thief's images come from, and what is refused before anything is trained."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from nasaudit.attacks.extraction.pool import fit_to, planned_budgets, thief_pool
from nasaudit.data.load import load_data
from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.planning.plan import plan
from nasaudit.spec.attacks import KnockoffSpec
from nasaudit.spec.attacks.choice import attacks_for
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import StudySpec
from nasaudit.store.workspace import Workspace

WORKSPACE = Workspace(Path(), find=None)


def planned(**attack):
    study = {"architectures": ["darts"], "data": "digits", "seeds": [0]}
    return plan(StudySpec.parse({**study, "attacks": [{"name": "knockoff", **attack}]}), Path("nowhere"))


def test_a_split_of_the_victims_data_is_taken_as_it_is_and_disjoint_from_training():
    bundle = load_data(DataSpec(name="digits"), None)
    pool = thief_pool(KnockoffSpec(), "digits", bundle, WORKSPACE)
    assert pool is bundle.pool
    assert not set(pool.indices.tolist()) & set(bundle.train.indices.tolist())
    assert thief_pool(KnockoffSpec(pool="train"), "digits", bundle, WORKSPACE) is bundle.train


def test_another_data_set_is_whole_and_made_to_fit():
    bundle = load_data(DataSpec(name="digits"), None)
    pool = thief_pool(KnockoffSpec(pool="other"), "digits", bundle, WORKSPACE)
    assert pool.images.shape == (5000, 1, 8, 8)  # all of mnist5k
    assert len(set(pool.indices.tolist())) == 5000
    assert planned_budgets(KnockoffSpec(pool="other"), bundle, pool)[-1] == len(bundle.pool)


def test_other_is_never_the_victims_own_data():
    for name in ("digits", "mnist5k", "cifar10"):
        assert KnockoffSpec(pool="other").pool_data(name) not in (name, None)


def test_images_grow_by_torchs_bilinear_interpolation_and_grey_is_repeated():
    images = torch.randint(0, 256, (3, 1, 8, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    fitted = fit_to(images, (3, 28, 28))
    expected = F.interpolate(images.float(), (28, 28), mode="bilinear", antialias=True)
    assert fitted.shape == (3, 3, 28, 28)
    assert (fitted.float() - expected).abs().max() <= 0.5
    assert torch.equal(fitted[:, 0], fitted[:, 2])


def test_images_shrink_to_their_mean_and_colours_become_their_luma():
    checks = torch.tensor([[0, 200], [200, 0]], dtype=torch.uint8).repeat(1, 1, 8, 8)
    inner = fit_to(checks, (1, 4, 4))[:, :, 1:-1, 1:-1]
    assert (inner.float() - 100).abs().max() <= 1
    red = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    red[:, 0] = 255
    assert fit_to(red, (1, 4, 4)).unique().tolist() == [76]  # .299 * 255


def test_images_that_fit_are_left_alone():
    images = torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8)
    assert torch.equal(fit_to(images, (1, 8, 8)), images)


@pytest.mark.parametrize(
    ("wish", "error", "message"),
    [
        ({"budgets": [100, 271]}, SpecError, r"attacks\[0\]\.budgets: expected at most 27\d, the images of"),
        ({"budgets": [5001], "pool": "mnist5k"}, SpecError, "at most 5000, the images of mnist5k"),
        ({"pool": "Digits"}, SpecError, "victim's own data"),
        ({"pool": "mnist50k"}, UnknownNameError, "mnist5k"),
        ({"pool": "folder"}, SpecError, "known by its name"),
        ({"surrogate": "resnot"}, UnknownNameError, "resnet"),
    ],
)
def test_what_cannot_be_asked_is_refused_when_it_is_planned(wish, error, message):
    with pytest.raises(error, match=message):
        planned(**wish)


def test_data_without_a_pool_is_refused_with_advice():
    study = {"architectures": ["darts"], "data": {"name": "digits", "pool_fraction": 0.0}, "seeds": [0]}
    with pytest.raises(SpecError, match=r"raise data\.pool_fraction, or take the pool `train`"):
        plan(StudySpec.parse({**study, "attacks": ["knockoff"]}), Path("nowhere"))


@pytest.mark.parametrize("protocol", ["sound", "paper"])
@pytest.mark.parametrize("data", ["digits", "mnist5k"])
def test_the_defaults_can_be_planned_on_embedded_data(protocol, data):
    attacks = attacks_for(["extraction"], protocol, "mini")
    study = StudySpec.parse(
        {"architectures": ["darts"], "data": data, "seeds": [0], "attacks": attacks, "protocol": protocol}
    )
    assert len(plan(study, Path("nowhere")).tasks) >= 2 + len(attacks)


def test_the_paper_protocol_is_the_published_setting():
    (attack,) = attacks_for(["extraction"], "paper", "paper")
    assert attack.budgets == (1000, 2000, 4000, 8000, 16000)
    assert (attack.pool, attack.labels, attack.surrogate, attack.epochs) == ("train", "hard", "same", 25)
    assert (attack.recipe, attack.min_steps) == ("published", 0)
    (mini,) = attacks_for(["extraction"], "paper", "mini")
    assert mini.budgets_of(50_000) == attack.budgets
    assert (mini.labels, mini.recipe, mini.min_steps) == ("hard", "published", 250)


def test_sound_has_a_surrogate_of_its_own_and_one_for_all_at_four_budgets_each():
    attacks = attacks_for(["extraction"], "sound", "mini")
    swept = [attack for attack in attacks if len(attack.budgets_of(750)) == 4]
    assert [attack.surrogate for attack in swept] == ["same", "resnet"]
    assert {attack.labels for attack in attacks} == {"soft", "hard"}
    assert {attack.pool for attack in attacks} == {"pool", "other"}
