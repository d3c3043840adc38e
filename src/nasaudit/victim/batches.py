"""A model asked about many images: in batches, without gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

from nasaudit.data.split import Split
from nasaudit.progress import Progress, silent

BATCH = 256


@torch.no_grad()
def in_batches(
    model: Callable[[Tensor], Tensor],
    images: Split | Tensor,
    device: str | torch.device,
    progress: Progress = silent,
) -> Tensor:
    """What a model says of all images, in their order, on its device.

    Args:
        model: a network in eval mode, a Classifier or an Oracle.
        images: N of them; a tensor holds pixels in [0,1]. Of none, the model is shown an empty batch.
        device: the model's.
        progress: called after each batch with the share that is done.
    """
    answers = []
    for start in range(0, max(1, len(images)), BATCH):
        rows = slice(start, start + BATCH)
        pixels = images[rows] if isinstance(images, Tensor) else images.pixels(rows)
        answers.append(model(pixels.to(device)))
        progress(min(1.0, (start + BATCH) / max(1, len(images))))
    return torch.cat(answers)
