"""Which images each shadow model is trained on: every image is in the same share of the models.

Carlini et al., "Membership Inference Attacks From First Principles", IEEE S&P 2022, section 4: for each image
some models have seen it and some have not, and an attacker compares the two.
"""

import numpy as np
import numpy.typing as npt
import torch

from nasaudit.data.split import DataBundle, Split
from nasaudit.randomness import derive_seed
from nasaudit.spec.data import ShadowSubset

Mask = npt.NDArray[np.bool_]


def population(bundle: DataBundle) -> Split:
    """All images that victims and shadow models are drawn from, ascending by their position in the source."""
    parts = (bundle.train, bundle.pool, bundle.test)
    whole = Split(
        torch.cat([part.images for part in parts]),
        torch.cat([part.labels for part in parts]),
        torch.cat([part.indices for part in parts]),
        bundle.train.classes,
    )
    return whole.take(whole.indices.argsort())


def members(bundle: DataBundle, models: int, seed: int) -> Mask:
    """Bool [models, population]: which images each shadow model is trained on.

    Each image is in round(models * |train| / |population|) of them, at least one and never in all, so that
    models that have seen it and models that have not exist for every image; a model has about as many training
    images as a victim.
    """
    n = len(bundle.train) + len(bundle.pool) + len(bundle.test)
    inside = int(np.clip(round(models * len(bundle.train) / n), 1, models - 1))
    keys = np.random.PCG64(derive_seed("shadows", models, seed)).random_raw(models * n).reshape(models, n)
    ranks = keys.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    return np.asarray(ranks < inside)


def shadow_train(bundle: DataBundle, subset: ShadowSubset) -> Split:
    """The training images of one shadow model."""
    mine = members(bundle, subset.models, subset.seed)[subset.model]
    return population(bundle).take(torch.from_numpy(np.flatnonzero(mine)))
