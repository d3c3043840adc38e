"""What each op of a supernet costs: numbers of weights, FLOPs, and numbers read and written."""

import torch
from torch import Tensor, nn

from nasaudit.search.supernet import Mixture, SuperCell, Supernet, everything


def op_costs(supernet: Supernet, shape: tuple[int, int, int], device: str) -> dict[str, list[Tensor]]:
    """By kind of cell, for each cell float [3, edges, primitives]: weights, FLOPs of an image, numbers moved.

    Convolutions count; poolings and skips cost nothing.

    Args:
        supernet: whose ops; it is run once on one image, to see which sizes they read.
        shape: (channels, height, width) of an image.
        device: where it is.
    """
    convolutions = {
        module: name
        for name, module in supernet.named_modules()
        if isinstance(module, nn.Conv2d) and ".mixed." in name
    }
    seen: dict[str, Tensor] = {}

    def see(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        weights, positions = module.weight.numel(), output.shape[2] * output.shape[3]
        moved = weights + inputs[0][0].numel() + output[0].numel()
        seen[convolutions[module]] = torch.tensor([weights, 2 * weights * positions, moved])

    handles = [module.register_forward_hook(see) for module in convolutions]
    space, training = supernet.space, supernet.training
    size = (len(space.sources), len(space.primitives))
    even = Mixture(torch.ones(size, device=device), everything(space))
    supernet.eval()
    with torch.no_grad():
        supernet(torch.zeros(1, *shape, device=device), dict.fromkeys(space.kinds, even))
    supernet.train(training)
    for handle in handles:
        handle.remove()
    costs: dict[str, list[Tensor]] = {kind: [] for kind in space.kinds}
    for number, cell in enumerate(supernet.cells):
        if isinstance(cell, SuperCell):
            kind = "reduction" if getattr(cell, "reduction", False) else "normal"
            of_cell = torch.zeros(3, *size, device=device)
            for name, cost in seen.items():
                _, of, _, edge, _, op, *_ = name.split(".")  # cells.2.mixed.5.ops.4.op.0
                if int(of) == number:
                    of_cell[:, int(edge), int(op)] += cost.to(of_cell)
            costs[kind].append(of_cell)
    return costs
