"""The one training loop: images -> loss -> step. A special loss is an argument of it, never another loop."""

from collections.abc import Callable, Sequence
from functools import partial
from pkgutil import resolve_name

import torch
from torch import Tensor, nn

from nasaudit.arch.network import Network
from nasaudit.data.augment import augment
from nasaudit.data.split import Split
from nasaudit.errors import NonFiniteError, SpecError
from nasaudit.progress import Progress, silent
from nasaudit.randomness import derive_seed
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.bookmark import Bookmark
from nasaudit.training.course import Course, History
from nasaudit.training.evaluate import accuracy
from nasaudit.training.parts import Parts
from nasaudit.training.seams import Defence, Loss, Prepare, Seams, as_it_is, whole_batch


def fit(
    network: Network,
    train: Split,
    spec: TrainingSpec,
    seed: int,
    selection: Split | None = None,
    loss: Loss | None = None,
    targets: Tensor | None = None,
    frozen: Tensor | None = None,
    before: Prepare = as_it_is,
    prepare: Prepare | None = None,
    after_epoch: Callable[[int], None] | None = None,
    bookmark: Bookmark | None = None,
    device: str = "cpu",
    progress: Progress = silent,
) -> History:
    """Train `network` in place.

    Args:
        network: fresh or trained; left in eval mode on `device`, with the kept epoch's weights.
        train: the images to learn from.
        spec: the recipe.
        seed: decides the order of images, the augmentation, drop-path and dropout, and what defences draw.
        selection: the images that `spec.keep` chooses the epoch by (None when it is "last").
        loss: replaces cross entropy with the recipe's label smoothing.
        targets: replace the labels: int64 [N], or probabilities float32 [N, K] (a distillation).
        frozen: bool [N], the images that are augmented once, before the first epoch; None: each anew whenever it is
            learned from.
        before: changes each batch before its augmentation: images uint8 in; uint8 or float32 of 0 to 255 out.
        prepare: changes each batch after its augmentation (a backdoor that owns its training step), and before
            a defence of the recipe does.
        after_epoch: called with the number of epochs done; the network is in training mode again afterwards.
        bookmark: where an interrupted training goes on, to the same weights bit for bit; None: it begins anew.
        device: where to train.
        progress: called after each step.

    Raises:
        NonFiniteError: the loss became NaN or infinite.
        SpecError: the recipe keeps the best epoch and there is nothing to choose it by, or has a defence that this
            network cannot be trained with.
    """
    if spec.keep != "last" and (selection is None or len(selection) == 0):
        raise SpecError("training.keep", "'last', since there are no images to choose an epoch by", spec.keep)
    network.to(device).train()
    seams = Seams(
        prepare or as_it_is,
        loss or nn.CrossEntropyLoss(label_smoothing=spec.label_smoothing),
        whole_batch(network, spec.gradient_clip),
    )
    for named in spec.defences:
        defence: Defence = resolve_name(named.implementation)(named)
        seams = defence.applied(seams, network, spec, seed)
    backward = Parts(partial(_backward, network, spec, seams.loss), network.parameters())
    batch_size = min(spec.batch_size, len(train))
    steps_per_epoch = len(train) // batch_size
    total_steps = max(1, spec.epochs * steps_per_epoch)
    optimizer, schedule = _descent(network, spec, total_steps)
    targets = (train.labels if targets is None else targets).to(device)
    generator = torch.Generator().manual_seed(derive_seed("training", seed))
    dropped = torch.Generator(device).manual_seed(derive_seed("drop-path", seed))
    network.draw_from(dropped)

    images, augmented = _augmentation(network, train.images.to(device), spec, seed, generator, frozen)
    course = Course(
        network,
        optimizer,
        schedule,
        (generator, dropped, *seams.generators, *_of_layers(device)),
        History(images_per_step=batch_size, kept_epoch=spec.epochs),
        Bookmark(None) if bookmark is None else bookmark,
    )
    course.read()
    history = course.history
    while course.epoch < spec.epochs:
        if network.drop_path is not None:  # Zoph et al. 2018: the probability grows with the epoch
            share = course.epoch / spec.epochs if spec.drop_path_schedule == "linear" else 1.0
            network.drop_path.probability = network.spec.drop_path * share
        # A last incomplete batch is left out, as its BN statistics would be noise.
        order = torch.randperm(len(train), generator=generator)[: steps_per_epoch * batch_size]
        for positions in order.reshape(-1, batch_size):
            batch, wanted = before(images[positions], targets[positions], generator)
            batch = augmented(batch, positions)
            pixels = batch.to(torch.float32, memory_format=torch.channels_last).div_(255)
            pixels, wanted = seams.prepare(pixels, wanted, generator)
            optimizer.zero_grad(set_to_none=True)
            value, correct = seams.gradient(pixels, wanted, backward)
            optimizer.step()
            schedule.step()
            history.loss.append(value.item())
            history.accuracy.append(correct.item())
            history.parts = max(history.parts, backward.count)
            progress(
                len(history.loss) / total_steps,
                f"epoch {course.epoch + 1}/{spec.epochs}, loss {history.loss[-1]:.3f}",
            )
            _refuse_non_finite(history.loss, course.epoch, spec)
        course.epoch += 1
        if spec.keep != "last" and selection is not None:
            history.selection.append(accuracy(network, selection, device))
            if history.selection[-1] == max(history.selection):
                course.keep_best()
            network.train()
        if after_epoch is not None:
            after_epoch(course.epoch)
            network.train()
        course.write()
    course.end()
    return history


def _refuse_non_finite(losses: Sequence[float], epoch: int, spec: TrainingSpec) -> None:
    if not losses[-1] < float("inf"):
        raise NonFiniteError(
            f"the training loss became {losses[-1]} at step {len(losses)} (epoch {epoch + 1}); expected a finite "
            f"loss: lower training.learning_rate (now {spec.learning_rate:g})"
        )


def _of_layers(device: str) -> tuple[torch.Generator, ...]:
    """The generators that layers of others draw from."""
    if torch.device(device).type != "cuda":
        return (torch.default_generator,)
    return (torch.default_generator, torch.cuda.default_generators[torch.device(device).index or 0])


def _augmentation(
    network: Network,
    images: Tensor,
    spec: TrainingSpec,
    seed: int,
    generator: torch.Generator,
    frozen: Tensor | None,
) -> tuple[Tensor, Callable[[Tensor, Tensor], Tensor]]:
    """The images, and what changes a batch [n, C, H, W] from positions [n] of them at random, as the recipe says."""
    # The mean colour is zero after normalisation.
    fill = network.mean_colour * 255 if spec.cutout_fill == "mean" else None
    changed = partial(augment, crop=spec.crop, flip=spec.flip, cutout=spec.cutout, fill=fill)
    if frozen is None:
        return images, lambda batch, positions: changed(batch, generator)
    still = frozen.to(images.device)
    once = torch.Generator().manual_seed(derive_seed("augmented once", seed))
    images = images.index_put((still,), changed(images[still], once))

    def others(batch: Tensor, positions: Tensor) -> Tensor:
        return torch.where(still[positions].view(-1, 1, 1, 1), batch, changed(batch, generator))

    return images, others


def _backward(
    network: Network, spec: TrainingSpec, loss: Loss, pixels: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Add the gradient of the loss to the parameters; the loss, and the share of correct images."""
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=spec.precision == "bf16"):
        logits, auxiliary = network.forward_both(pixels)
    value = loss(logits.float(), targets)
    total = value
    if auxiliary is not None:
        total = value + spec.auxiliary_weight * loss(auxiliary.float(), targets)
    total.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        classes = targets if targets.ndim == 1 else targets.argmax(dim=1)
        # A batch may have further views of its images behind them, without targets of their own.
        correct = (logits[: len(classes)].argmax(dim=1) == classes).float().mean()
    return value.detach(), correct


def _descent(
    network: nn.Module, spec: TrainingSpec, total_steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The optimiser of the recipe, and the schedule of its learning rate."""
    rate, decay = spec.learning_rate, spec.weight_decay
    optimizer: torch.optim.Optimizer
    if spec.optimizer == "adamw":
        # Fused: one pass over all weights takes a third of the time of a loop over them, on a CPU as well.
        optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=decay, fused=True)
    else:
        optimizer = torch.optim.SGD(network.parameters(), rate, spec.momentum, weight_decay=decay)
    if spec.schedule == "cosine":
        return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total_steps)
    if spec.schedule == "constant":
        return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    # One more step than is taken: the scheduler steps once after the last one.
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=total_steps + 1, cycle_momentum=False
    )
