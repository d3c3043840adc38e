"""How fast the loss gradient of a trained network changes: Lipschitz constant, top eigenvalue and trace.

The parts, with their papers: `curvature` (Pearlmutter 1994), `lanczos` (Lanczos 1950; Ghorbani et al. 2019; Yao et
al. 2020), `hutchinson` (Hutchinson 1990), `lipschitz`. Here they are put together, with intervals whose unit is the
image.

In the space of pixels each image has a Hessian of its own; the mean over images has a bootstrap interval. In the
space of parameters there is one Hessian, the mean of those of the images. These are cut into BLOCKS blocks, and what
one block adds to a figure is a replicate:

- trace: each block has probes of its own, so that t's interval over blocks covers the probes and the images;
- top eigenvalue theta with Ritz vector y: theta = mean_b y' H_b y, and the derivative of an eigenvalue by its matrix
  is y y', so that t's interval over the y' H_b y is to first order that of theta (Efron's infinitesimal jackknife).
  The residual |H y - theta y|, within which Lanczos left the eigenvalue, is added to the upper end only, because a
  Ritz value is never above it;
- Lipschitz constant: the jackknife over blocks, the best direction chosen anew each time.

Deviations: probes are not shared by the blocks, as they are in PyHessian. The largest eigenvalue is the algebraically
largest one, also where a negative one is larger in magnitude.
"""

from collections.abc import Callable
from math import sqrt

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor, nn

from nasaudit.analysis.smoothness.curvature import Loss, Product, by_differences, pixel_loss
from nasaudit.analysis.smoothness.hutchinson import hutchinson
from nasaudit.analysis.smoothness.lanczos import Top, lanczos
from nasaudit.analysis.smoothness.lipschitz import directions, gradient_changes, gradient_lipschitz
from nasaudit.analysis.smoothness.parameter_loss import ParameterLoss, at_once
from nasaudit.errors import DataError
from nasaudit.measure.bootstrap import bootstrap, mean
from nasaudit.measure.estimate import Estimate, FloatArray, Measurement
from nasaudit.progress import Progress, silent
from nasaudit.randomness import derive_seed
from nasaudit.spec.analyses import SmoothnessSpec

BLOCKS = 8  # of images, which stand in for replicates
PARAMETERS, PIXELS = "nats per squared parameter", "nats per squared pixel"


def parameter_smoothness(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    spec: SmoothnessSpec,
    *,
    exact: bool = True,
    progress: Progress = silent,
) -> list[Measurement]:
    """The three figures for the mean loss of these images as a function of all parameters.

    Args:
        network: from `analysis.frozen`.
        pixels: float [M, C, H, W] on its device, M at least 2.
        labels: int64 [M].
        spec: the settings.
        exact: False: Hessian-vector products by central differences of the gradient.
        progress: called with the share done.

    Raises:
        NonFiniteError: a gradient or a product is NaN or infinite.
        DataError: fewer than two images.
    """
    if len(pixels) < 2:
        raise DataError(f"expected at least 2 images, without which there is no interval, got {len(pixels)}")
    whole = ParameterLoss(network, pixels, labels)
    whole.tick = _stage(progress, 0, 0.5, (spec.iterations + 1) * whole.chunks, "parameters: top eigenvalue")
    top = _top(whole, exact, spec.iterations, spec.seed)
    gradient = whole.gradient(whole.point)
    whole.release()

    along = directions(gradient, top.vector, spec.directions, _generator(spec.seed, "directions"))
    radius = spec.radius * (float(whole.point.norm()) or 1.0)
    count = min(BLOCKS, len(pixels))
    curved, traces, changes = [], [], []
    blocks = zip(pixels.tensor_split(count), labels.tensor_split(count), strict=True)
    for number, (images, classes) in enumerate(blocks):
        block = ParameterLoss(network, images, classes, whole.size)
        calls = (2 + spec.probes + len(along)) * block.chunks
        begin, end = (0.5 + 0.5 * each / count for each in (number, number + 1))
        block.tick = _stage(
            progress, begin, end, calls, f"parameters: part {number + 1} of {count} of the images"
        )
        product = _product(block, exact)
        curved.append(float((product(top.vector) * top.vector).sum()))
        generator = _generator(spec.seed, "probes", number)
        traces.append(float(hutchinson(product, block.point, spec.probes, generator).mean()))
        block.release()
        changes.append(torch.cat(list(gradient_changes(block, along, radius))))
    shares = np.array([len(images) for images in pixels.tensor_split(count)]) / len(pixels)
    figures = {
        "hessian_top": _enclosing(mean_over_blocks(np.array(curved), shares, len(pixels), PARAMETERS), top),
        "hessian_trace": mean_over_blocks(np.array(traces), shares, len(pixels), PARAMETERS),
        "gradient_lipschitz": largest_change(torch.stack(changes), shares, len(pixels)),
    }
    return _measurements(figures, "parameters", exact)


def input_smoothness(
    network: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    spec: SmoothnessSpec,
    *,
    exact: bool = True,
    size: int | None = None,
    progress: Progress = silent,
) -> list[Measurement]:
    """The three figures for the loss of each image as a function of its pixels: means over images.

    Arguments and errors are as above; `size` is that of `ParameterLoss`.
    """
    size = size or ParameterLoss(network, pixels[:1], labels[:1]).size
    tops, traces, constants = [], [], []
    count = at_once(size)
    chunks = list(zip(torch.split(pixels, count), torch.split(labels, count), strict=True))
    for number, (images, classes) in enumerate(chunks):
        loss = pixel_loss(network, images, classes)
        calls = spec.input_iterations + spec.probes + spec.directions + 2
        begin, end = (each / len(chunks) for each in (number, number + 1))
        loss.tick = _stage(progress, begin, end, calls, "pixels: curvature of each image")
        top = _top(loss, exact, spec.input_iterations, spec.seed)
        generator = _generator(spec.seed, "pixels", number)
        traces.append(hutchinson(_product(loss, exact), loss.point, spec.probes, generator).mean(dim=0))
        along = directions(loss.gradient(loss.point), top.vector, spec.directions, generator)
        constants.append(gradient_lipschitz(loss, along, spec.input_radius))
        tops.append(top.value)
    figures = {
        name: bootstrap([torch.cat(values).numpy()], mean, PIXELS, derive_seed(spec.seed, name))
        for name, values in (
            ("hessian_top", tops),
            ("hessian_trace", traces),
            ("gradient_lipschitz", constants),
        )
    }
    return _measurements(figures, "input", exact)


def mean_over_blocks(values: FloatArray, shares: FloatArray, n: int, unit: str) -> Estimate:
    """The mean of what each block of images gave, weighted by its share, with t's interval.

    Args:
        values: [B], B at least 2.
        shares: [B], of the images; they sum to 1.
        n: images in all.
        unit: of the values.

    >>> found = mean_over_blocks(np.array([1.0, 3.0]), np.array([0.5, 0.5]), 10, "")
    >>> found.value, round(found.high, 3)  # 2 + 12.706 / sqrt(2) * sd
    (2.0, 14.706)
    """
    mean, blocks = float(shares @ values), len(values)
    error = sqrt(float(shares**2 @ (values - mean) ** 2) * blocks / (blocks - 1))
    margin = float(stdtrit(blocks - 1, 0.975)) * error
    return Estimate(mean, mean - margin, mean + margin, n, unit)


def largest_change(changes: Tensor, shares: FloatArray, n: int) -> Estimate:
    """max_u |mean_b d_bu| with the jackknife's interval over blocks.

    Args:
        changes: [B, K, P]: d_bu = (g_b(w + r u) - g_b(w)) / r of each block b and direction u.
        shares: [B], of the images; they sum to 1.
        n: images in all.
    """
    # |sum_b s_b d_b|^2 = s' G s: from the products of the blocks' changes, whatever is left out.
    grams = torch.stack([each.double() @ each.double().T for each in changes.unbind(1)]).cpu().numpy()

    def norm(weights: FloatArray) -> float:
        return sqrt(max(0.0, float(np.einsum("b,kbc,c->k", weights, grams, weights).max())))

    blocks = len(shares)
    value = norm(shares)
    without = np.array([norm(_leave_out(shares, block)) for block in range(blocks)])
    error = sqrt((blocks - 1) / blocks * float(((without - without.mean()) ** 2).sum()))
    margin = float(stdtrit(blocks - 1, 0.975)) * error
    return Estimate(value, max(0.0, value - margin), value + margin, n, PARAMETERS)


def _leave_out(shares: FloatArray, block: int) -> FloatArray:
    kept = np.where(np.arange(len(shares)) == block, 0.0, shares)
    return np.asarray(kept / kept.sum())


def _enclosing(sampled: Estimate, top: Top) -> Estimate:
    """The interval over images around the Ritz value, and above it the residual."""
    value, residual = float(top.value), float(top.residual)
    margin = (sampled.high - sampled.low) / 2
    return Estimate(value, value - margin, value + margin + residual, sampled.n, sampled.unit)


def _top(loss: Loss, exact: bool, iterations: int, seed: int) -> Top:
    generator = _generator(seed, "lanczos")
    start = torch.randn(loss.point.shape, generator=generator, dtype=torch.float64).to(loss.point)
    return lanczos(_product(loss, exact), start, iterations)


def _product(loss: Loss, exact: bool) -> Product:
    return loss.product if exact else by_differences(loss)


def _measurements(figures: dict[str, Estimate], space: str, exact: bool) -> list[Measurement]:
    """Rows; those that rest on Hessian-vector products say so when autograd could not give them."""
    measurements = []
    for name, estimate in figures.items():
        how = () if exact or name == "gradient_lipschitz" else (("how", "finite_difference"),)
        measurements.append(Measurement(name, estimate, (("space", space), *how)))
    return measurements


def _generator(*parts: object) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed("smoothness", *parts))


def _stage(progress: Progress, begin: float, end: float, calls: int, text: str) -> Callable[[], None]:
    """A function to call `calls` times while `progress` goes from `begin` to `end`; more calls do no harm."""
    done = 0

    def tell() -> None:
        nonlocal done
        done = min(done + 1, calls)
        progress(begin + (end - begin) * done / calls, text)

    return tell
