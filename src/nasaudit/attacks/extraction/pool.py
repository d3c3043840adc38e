"""The thief's images: a split of the victim's own data, or another data set made to fit the victim's input."""

import torch
from torch import Tensor
from torch.nn import functional as F

from nasaudit.data.augment import augment
from nasaudit.data.load import load_data
from nasaudit.data.split import DataBundle, Split
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import ExtractionSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace

# ITU-R BT.601: how much red, green and blue count in grey.
LUMA = (0.299, 0.587, 0.114)


def thief_pool(spec: ExtractionSpec, victim_data: str, bundle: DataBundle, workspace: Workspace) -> Split:
    """The images that queries are drawn from. Labels are those of their own data set.

    Args:
        spec: says which.
        victim_data: name of the victim's data set.
        bundle: the victim's data.
        workspace: where downloaded data sets are.
    """
    name = spec.pool_data(victim_data)
    if name is None:
        return bundle.train if spec.pool == "train" else bundle.pool
    other = load_data(DataSpec(name=name), workspace.downloads)
    whole = other.train.joined(other.validation, other.test, other.pool)
    return whole.with_images(fit_to(whole.images, bundle.train.shape))


def augmented_once(pool: Split, recipe: TrainingSpec, seed: int) -> Split:
    """Images cropped and mirrored at random as a recipe does it, but not cut out: once, to be asked about like that.

    As in the talk's artifact, which makes a list of the augmented training set, without --cutout (ain-soph/autovul,
    projects/extraction_attack.py:43, bash/extraction.sh:14).
    """
    generator = torch.Generator().manual_seed(seed)
    return pool.with_images(augment(pool.images, generator, recipe.crop, recipe.flip, cutout=0))


def planned_budgets(spec: ExtractionSpec, bundle: DataBundle, pool: Split) -> tuple[int, ...]:
    """The budgets in images; shares are capped where another data set has fewer images.

    Raises:
        SpecError: a budget in images that the pool does not have.
    """
    budgets = spec.budgets_of(len(bundle.train if spec.reference == "train" else bundle.pool))
    if spec.budgets and budgets[-1] > len(pool):
        raise SpecError("budgets", f"at most {len(pool)}, the images of the pool `{spec.pool}`", budgets[-1])
    return tuple(sorted({min(budget, len(pool)) for budget in budgets}))


def fit_to(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Images of another size or number of channels as the victim takes them.

    Bilinear, smoothed where it shrinks; grey is repeated for three channels, colours become their luma for one.

    Args:
        images: uint8 [N, C, H, W] with 1 or 3 channels.
        shape: (channels, height, width) wanted.

    Returns:
        uint8 [N, *shape].
    """
    channels, height, width = shape
    if images.shape[1] == 3 and channels == 1:
        weights = torch.tensor(LUMA).view(1, 3, 1, 1)
        images = (images.float() * weights).sum(1, keepdim=True).round().to(torch.uint8)
    if images.shape[2:] != (height, width):
        resized = F.interpolate(images.float(), (height, width), mode="bilinear", antialias=True)
        images = resized.round().clamp(0, 255).to(torch.uint8)
    return images.expand(-1, channels, -1, -1).contiguous()
