"""Gradient variance as published: the spread of the gradients of single images in an untrained network.

Pang, Xi, Ji, Luo & Wang, "On the Security Risks of AutoML", USENIX Security 2022: cells that search finds
have low gradient variance, which lets a good attack follow the gradient. The measure is that of the authors' code:

    g_i = gradient of the loss of image i alone by all parameters, clipped to length 5:
          g_i min(1, 5 / |g_i|)
    gradient_std_sum = sum over coordinates k of std_i(g_ik),    with the biased variance 1/N sum g_ik^2 - mean^2

over 512 validation images, in eval mode (ain-soph/autovul, projects/grad_var.py:45-60 and
autovul/base/models.py:171). It grows with the number of parameters and with the scale of the gradients: between
architectures of different sizes `nasaudit.analysis.gradients.variance` has the forms that do not.

The gradients come in chunks (`per_sample`) and are not kept. Mean and sum of squared deviations of each coordinate
are updated as in Chan, Golub & LeVeque, "Algorithms for Computing the Sample Variance", The American Statistician 37,
1983, which loses no digits where the mean is large; one pair for each of GROUPS groups of images, so that the
interval (`jackknife`, a group left out) needs no second pass. Memory: 8 GROUPS bytes a parameter, and one chunk.

Deviations: none in the value. A data set with fewer validation images than are asked for gives test images instead
(`gradients_work`), and the setting of the row says so.
"""

import torch
from torch import Tensor, nn

from nasaudit.analysis.gradients.per_sample import PerSampleGradients
from nasaudit.errors import MeasurementError
from nasaudit.measure.estimate import Estimate
from nasaudit.progress import Progress, silent
from nasaudit.stats.jackknife import jackknife

CLIP = 5.0
GROUPS = 8
BLOCK = 2**17  # coordinates whose deviations are added up at a time, in float64


def gradient_std_sum(
    network: nn.Module, pixels: Tensor, labels: Tensor, *, clip: float = CLIP, progress: Progress = silent
) -> Estimate:
    """Sum over parameters of the standard deviation of the images' clipped gradients.

    Args:
        network: taken in eval mode; a copy is worked on.
        pixels: [N, C, H, W] in [0,1] on the network's device, in an order that has no meaning; N at least 3.
        labels: int64 [N].
        clip: length that each gradient is cut to.
        progress: called after each chunk, with how the gradients are computed.

    Returns:
        The sum in units of the gradient, with the interval of a jackknife over groups of images.

    Raises:
        MeasurementError: fewer than 3 images.
        NonFiniteError: a gradient is not finite.
    """
    if len(pixels) < 3:
        raise MeasurementError(f"gradient_std_sum: expected at least 3 images, got {len(pixels)}")
    gradients = PerSampleGradients(network)
    groups = torch.arange(len(pixels)).tensor_split(min(GROUPS, len(pixels)))
    deviations = _Deviations(len(groups), gradients.parameters)
    chunk, done = gradients.chunk(pixels), 0
    for group, members in enumerate(groups):
        for positions in torch.split(members, chunk):
            rows = gradients(pixels[positions], labels[positions])
            deviations.add(group, clipped(rows, clip))
            done += len(positions)
            progress(done / len(pixels), f"gradients of single images ({gradients.how})")
    everyone = torch.ones(1, len(groups), dtype=torch.bool)
    without = ~torch.eye(len(groups), dtype=torch.bool)
    value, *deleted = deviations.std_sums(torch.cat([everyone, without])).tolist()
    return jackknife(value, deleted, "gradient", sizes=[len(members) for members in groups])


def clipped(rows: Tensor, clip: float) -> Tensor:
    """Each row [N, P] cut to the length `clip`, in place."""
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows.mul_((clip / norms).clamp_(max=1))


class _Deviations:
    """Mean and sum of squared deviations of each coordinate, for each group of rows."""

    def __init__(self, groups: int, coordinates: int):
        self._counts = torch.zeros(groups, dtype=torch.float64)
        self._means: list[Tensor | None] = [None] * groups
        self._squares: list[Tensor | None] = [None] * groups
        self._coordinates = coordinates

    def add(self, group: int, rows: Tensor) -> None:
        """Take in rows [n, P] of one group (Chan et al., equations 2.1)."""
        mean = rows.mean(dim=0)
        squares = (rows - mean).square_().sum(dim=0)
        before, added = float(self._counts[group]), len(rows)
        old_mean, old_squares = self._means[group], self._squares[group]
        if old_mean is not None and old_squares is not None:
            shift = mean - old_mean
            mean = old_mean.add_(shift, alpha=added / (before + added))
            squares = old_squares.add_(squares).add_(shift.square_(), alpha=before * added / (before + added))
        self._means[group], self._squares[group] = mean, squares
        self._counts[group] += added

    def std_sums(self, chosen: Tensor) -> Tensor:
        """Sum over coordinates of the standard deviation over the rows of some groups, for several choices.

        Args:
            chosen: bool [S, groups].

        Returns:
            float64 [S].
        """
        total = torch.zeros(len(chosen), dtype=torch.float64)
        for start in range(0, self._coordinates, BLOCK):
            block = slice(start, start + BLOCK)
            means = torch.stack([mean[block] for mean in self._means if mean is not None]).double().cpu()
            squares = torch.stack([part[block] for part in self._squares if part is not None]).double().cpu()
            for position, groups in enumerate(chosen):
                counts, of_groups = self._counts[groups], means[groups]
                mean = counts @ of_groups / counts.sum()
                between = counts @ (of_groups - mean).square_()
                variance = (squares[groups].sum(dim=0) + between) / counts.sum()
                total[position] += variance.sqrt_().sum()
        return total
