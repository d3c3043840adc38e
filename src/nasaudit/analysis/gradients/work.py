"""The work of the analysis `gradients`: from a victim to its measurements."""

from collections.abc import Iterator
from typing import cast

from torch import nn

from nasaudit.analysis.gradients.std_sum import gradient_std_sum
from nasaudit.analysis.gradients.variance import batch_gradients, draw_batches, gradient_measurements
from nasaudit.arch.network import build
from nasaudit.data.load import chosen
from nasaudit.data.split import DataBundle, Split
from nasaudit.measure.estimate import Measurement
from nasaudit.progress import Progress, part
from nasaudit.randomness import derive_seed
from nasaudit.spec.analyses import GradientsSpec
from nasaudit.spec.tasks import VictimAnalysisTask
from nasaudit.store.artefacts import EARLY_WEIGHTS
from nasaudit.store.workspace import Workspace
from nasaudit.training import checkpoint
from nasaudit.training.work import load_victim, training_images


def measure_gradients(task: VictimAnalysisTask, workspace: Workspace) -> list[Measurement]:
    """`gradient_std_sum` of the untrained network, and the variance over batches at each moment of training.

    Images and batches are the same for every architecture and training seed.
    """
    spec = cast(GradientsSpec, task.analysis)
    victim, bundle = load_victim(task.victim, workspace)
    untrained = build(
        task.victim.architecture, derive_seed("weights", task.victim.seed), bundle.train.moments
    )
    untrained.to(workspace.device)
    moments = list(_moments(task, workspace, untrained, victim))
    share = 1 / (1 + len(moments))
    measurements = [_published(untrained, bundle, task, workspace, part(workspace.progress, 0, share))]
    train = training_images(task.victim, bundle, workspace)
    batches = draw_batches(len(train), spec.batches, spec.batch_size, spec.seed)
    for position, (name, network) in enumerate(moments, start=1):
        gradients = batch_gradients(
            network,
            train,
            batches,
            seed=derive_seed("gradients", spec.seed),
            device=workspace.device,
            progress=part(workspace.progress, position * share, (position + 1) * share, f" ({name})"),
        )
        measurements += gradient_measurements(gradients, name)
    return measurements


def images_for_std(bundle: DataBundle, images: int, *seed_parts: object) -> tuple[str, Split]:
    """The published measure's images: of the validation split, or of the test split where that one is too small.

    Where both are too small it is the larger one, whole.

    Returns:
        The name of the split, and its chosen images in random order.
    """
    splits = {"validation": bundle.validation, "test": bundle.test}
    name = max(splits, key=lambda which: min(len(splits[which]), images))
    return name, chosen(splits[name], images, "gradient images", *seed_parts)


def _published(
    untrained: nn.Module,
    bundle: DataBundle,
    task: VictimAnalysisTask,
    workspace: Workspace,
    progress: Progress,
) -> Measurement:
    spec = cast(GradientsSpec, task.analysis)
    name, split = images_for_std(bundle, spec.images, task.victim.data.seed, spec.seed)
    pixels, labels = split.tensors(workspace.device)
    estimate = gradient_std_sum(untrained, pixels, labels, progress=progress)
    return Measurement("gradient_std_sum", estimate, (("checkpoint", "initial"), ("images", name)))


def _moments(
    task: VictimAnalysisTask, workspace: Workspace, untrained: nn.Module, victim: nn.Module
) -> Iterator[tuple[str, nn.Module]]:
    """The network at each moment that is known; weights that were trained elsewhere have no first epoch."""
    yield "initial", untrained
    _, folder = workspace.find(task.victim)
    if (folder / EARLY_WEIGHTS).exists():
        early = checkpoint.load(folder / EARLY_WEIGHTS, task.victim.architecture)
        yield "first_epoch", early.to(workspace.device)
    yield "final", victim
