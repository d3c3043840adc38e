"""Which images each shadow model is trained on: every image is in the same share of the models.

Carlini et al., "Membership Inference Attacks From First Principles", IEEE S&P 2022, section IV: for each image
some models have seen it and some have not, and an attacker compares the two.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nasaudit.data.split import DataBundle, Split
from nasaudit.randomness import derive_seed
from nasaudit.spec.data import ShadowSubset

Mask = npt.NDArray[np.bool_]


def population(bundle: DataBundle) -> Split:
    """All images that victims and shadow models are drawn from, ascending by their position in the source."""
    whole = bundle.train.joined(bundle.pool, bundle.test)
    return whole.take(whole.indices.argsort())


def members(bundle: DataBundle, models: int, seed: int) -> Mask:
    """Bool [models, population]: which images each shadow model is trained on.

    Each image is in round(models * |train| / |population|) of them, so that a model has about as many training
    images as a victim; and where there are four models or more, at least two have seen it and at least two have
    not, so that both kinds have a spread.
    """
    n = len(bundle.train) + len(bundle.pool) + len(bundle.test)
    least = min(2, models // 2)
    inside = int(np.clip(round(models * len(bundle.train) / n), least, models - least))
    keys = np.random.PCG64(derive_seed("shadows", models, seed)).random_raw(models * n).reshape(models, n)
    ranks = keys.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    return np.asarray(ranks < inside)


def trained_on(bundle: DataBundle, models: int, seed: int, indices: Tensor) -> Mask:
    """Bool [models, N]: which shadow models have seen each of N images.

    Args:
        bundle: the data.
        models: how many shadow models.
        seed: of their subsets.
        indices: int64 [N], source indices.

    Raises:
        DataError: an image that is in none of the roles train, pool and test.
    """
    return np.asarray(members(bundle, models, seed)[:, population(bundle).find(indices).numpy()])


def shadow_train(bundle: DataBundle, subset: ShadowSubset) -> Split:
    """The training images of one shadow model."""
    mine = members(bundle, subset.models, subset.seed)[subset.model]
    return population(bundle).take(torch.from_numpy(np.flatnonzero(mine)))
