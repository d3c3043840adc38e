"""The work of the analysis `landscape`: from a victim to its measurements."""

import json
from typing import Any, cast

from torch import Tensor, nn

from nasaudit.analysis.landscape.directions import filter_directions, first_convolution, sign_directions
from nasaudit.analysis.landscape.interpolation import NAME as SLICE
from nasaudit.analysis.landscape.interpolation import sample_slice
from nasaudit.analysis.landscape.planes import Losses, input_losses, sample_surface, weight_losses
from nasaudit.data.load import chosen
from nasaudit.measure.estimate import FloatArray, Measurement
from nasaudit.progress import part
from nasaudit.spec.analyses import LandscapeSpec
from nasaudit.spec.tasks import VictimAnalysisTask
from nasaudit.store.artefacts import CURVES, LANDSCAPES
from nasaudit.store.workspace import Workspace
from nasaudit.training.work import load_victim, training_images


def measure_landscape(task: VictimAnalysisTask, workspace: Workspace) -> list[Measurement]:
    """`loss_rise` on each plane, and the `barrier` on the way to the victim of another seed where there is one.

    Leaves `landscapes.json` with the loss on the planes, and `curves.json` with that on the line.
    """
    spec = cast(LandscapeSpec, task.analysis)
    network, bundle = load_victim(task.victim, workspace)
    images = chosen(bundle.test, spec.images, "landscape", task.victim.data.seed, spec.seed)
    pixels, labels = images.tensors(workspace.device)
    kinds = [kind for kind in spec.kinds if kind != SLICE or task.other is not None]
    measurements: list[Measurement] = []
    planes: list[dict[str, Any]] = []
    for position, kind in enumerate(kinds):
        progress = part(workspace.progress, position / len(kinds), (position + 1) / len(kinds))
        if kind == SLICE:
            assert task.other is not None
            other, _ = load_victim(task.other, workspace)
            train = training_images(task.victim, bundle, workspace)
            seen = chosen(train, spec.norm_images, "norms", task.victim.data.seed, spec.seed)
            norm_pixels = seen.pixels().to(workspace.device)
            line = sample_slice(network, other, pixels, labels, norm_pixels, spec.slice_points, progress)
            measurements.append(Measurement("barrier", line.barrier))
            drawing = {"name": SLICE, "x": _rounded(line.alpha), "y": _rounded(line.heights)}
            (workspace.folder / CURVES).write_text(json.dumps([drawing]), encoding="utf-8")
        else:
            losses = _plane(kind, network, pixels, labels, spec.seed)
            surface = sample_surface(kind, losses, getattr(spec.reach, kind), spec.points, progress)
            measurements.append(Measurement("loss_rise", surface.loss_rise, (("plane", kind),)))
            planes.append(
                {
                    "name": kind,
                    "setting": {"images": str(len(images))},
                    "x": _rounded(surface.axis),
                    "y": _rounded(surface.axis),
                    "z": [_rounded(row) for row in surface.heights],
                }
            )
    if planes:
        (workspace.folder / LANDSCAPES).write_text(json.dumps(planes), encoding="utf-8")
    return measurements


def _plane(kind: str, network: nn.Module, pixels: Tensor, labels: Tensor, seed: int) -> Losses:
    """The loss on one of the planes of `Reach`."""
    if kind == "input":
        return input_losses(network, *sign_directions(pixels[0], seed), pixels, labels)
    if kind == "first_layer":
        name = first_convolution(network, pixels)
        directions = sign_directions(network.get_parameter(name), seed, name)
    else:
        directions = filter_directions(network, seed)
    return weight_losses(network, *directions, pixels, labels)


def _rounded(numbers: FloatArray) -> list[float]:
    """To 5 significant digits: more than a picture shows."""
    return [float(f"{number:.5g}") + 0.0 for number in numbers]
