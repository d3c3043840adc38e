import numpy as np
import pytest
import torch

from nasaudit.data.shadows import members, population, shadow_train, trained_on
from nasaudit.data.split import DataBundle
from nasaudit.errors import DataError
from nasaudit.spec.data import ShadowSubset
from nasaudit.testing.data import synthetic_split


def bundle(train, pool, test, validation=10):
    """Four splits, their source indices shuffled over the whole."""
    total = train + pool + test + validation
    whole = synthetic_split(total)
    order = torch.randperm(total, generator=torch.Generator().manual_seed(0))
    parts, start = [], 0
    for size in (train, validation, test, pool):
        parts.append(whole.take(order[start : start + size].sort().values))
        start += size
    return DataBundle(*parts, ("a", "b", "c", "d"))


@pytest.mark.parametrize(
    ("sizes", "models", "inside"),
    [
        ((300, 75, 100), 8, 5),  # 300/475 of 8 is 5.05
        ((300, 75, 100), 64, 40),
        ((400, 0, 100), 64, 51),
        ((490, 0, 10), 8, 6),  # .98 of 8 is 8, but two must not have seen an image
        ((10, 480, 10), 8, 2),
        ((300, 0, 300), 2, 1),
        ((300, 0, 10), 3, 2),
    ],
)
def test_every_image_is_in_the_stated_share_of_the_shadow_models(sizes, models, inside):
    data = bundle(*sizes)
    mask = members(data, models, seed=0)
    assert mask.shape == (models, sum(sizes))
    assert (mask.sum(axis=0) == inside).all()


def test_a_shadow_model_has_about_as_many_images_as_a_victim():
    counts = members(bundle(3000, 750, 1000), 8, seed=0).sum(axis=1)
    expected = 4750 * 5 / 8
    assert abs(counts - expected).max() < 5 * np.sqrt(4750 * 5 / 8 * 3 / 8)


def test_members_of_the_victim_are_no_likelier_to_be_in_a_shadow_model_than_others():
    """Otherwise the mask itself would tell members from non-members."""
    data = bundle(3000, 750, 1000)
    shares = [members(data, 8, seed)[0] for seed in range(20)]
    indices = population(data).indices
    of_train = torch.isin(indices, data.train.indices).numpy()
    assert np.mean([mask[of_train].mean() - mask[~of_train].mean() for mask in shares]) == pytest.approx(
        0, abs=0.01
    )


def test_the_population_is_train_pool_and_test_in_the_order_of_the_source():
    data = bundle(30, 10, 20)
    indices = population(data).indices
    assert torch.equal(
        indices, torch.cat([data.train.indices, data.pool.indices, data.test.indices]).sort().values
    )
    assert not torch.isin(data.validation.indices, indices).any()


def test_a_seed_decides_the_subsets_and_every_model_has_its_own():
    data = bundle(60, 20, 20)
    mask = members(data, 8, seed=3)
    assert np.array_equal(mask, members(data, 8, seed=3))
    assert not np.array_equal(mask, members(data, 8, seed=4))
    assert len({row.tobytes() for row in mask}) == 8


def test_what_a_model_is_trained_on_is_what_it_is_said_to_be_trained_on():
    data = bundle(60, 20, 20)
    asked = torch.cat([data.test.indices.flip(0), data.train.indices[:7]])
    mask = trained_on(data, 8, 1, asked)
    for model in range(8):
        split = shadow_train(data, ShadowSubset(model=model, models=8, seed=1))
        assert np.array_equal(mask[model], torch.isin(asked, split.indices).numpy())
        whole = synthetic_split(110)
        assert torch.equal(split.images, whole.take(split.indices).images)
        assert torch.equal(split.labels, whole.take(split.indices).labels)


def test_an_image_of_no_such_role_is_refused():
    data = bundle(60, 20, 20)
    with pytest.raises(DataError, match="expected source indices"):
        trained_on(data, 8, 0, data.validation.indices[:1])
