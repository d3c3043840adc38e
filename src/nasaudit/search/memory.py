"""Whether a supernet fits into memory, before the search begins.

A step keeps what its backward pass reads. That is measured, not guessed: one pass over two images, in which every
tensor that autograd keeps is counted once, scaled to a batch.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nasaudit.errors import InputError

if TYPE_CHECKING:
    from nasaudit.search.one_shot import SupernetSearch

TRIED = 2  # images of the pass that is measured; BN needs more than one
ABOVE_SAVED = (
    1.5  # a step's peak over what autograd keeps: gradients and buffers of the ops (measured: docs/search.md)
)


def bytes_of_a_step(search: "SupernetSearch[Any]") -> float:
    """What a step of a search will need, roughly, in bytes."""
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    split, before = search.problem.train, torch.get_rng_state()
    parameters = {id(parameter): parameter.nbytes for parameter in search.supernet.parameters()}
    search.supernet.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        tried, device = torch.arange(TRIED), search.problem.device
        search.most_kept((split.pixels(tried).to(device), split.labels[tried].to(device)))
    torch.set_rng_state(before)
    # Weights, gradients and momentum beside what grows with the batch.
    fixed = 3.0 * sum(parameters.values())
    needed: float = fixed + ABOVE_SAVED * sum(saved.values()) * search.spec.batch_size / TRIED
    return needed


def refuse_too_large(search: "SupernetSearch[Any]") -> None:
    """Compare what a step needs with what is free.

    Raises:
        InputError: there is less.
    """
    needed, free = bytes_of_a_step(search), _free(search.problem.device)
    if free is not None and needed > free:
        raise InputError(
            f"{search.spec.name}: a step of the supernet needs about {needed / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} GiB are free; lower batch_size (now {search.spec.batch_size}), init_channels (now "
            f"{search.spec.init_channels}) or n_cells (now {search.spec.n_cells})"
        )


def _free(device: str) -> float | None:
    """Bytes, or None where the system does not say."""
    if device.startswith("cuda"):
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    # What can be had without swapping; pages of files that are merely kept are among it.
    kibibytes = [float(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return 1024 * kibibytes[0] if kibibytes else None
