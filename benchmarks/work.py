"""How much work something is, counted and not timed: the same on every machine, however busy it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Work:
    """Of one run.

    Attributes:
        calls: of operators of PyTorch, autograd's included.
        flops: of convolutions and matrix products, two for a multiplication and its addition.
        bytes: that operators wrote; views write none.
    """

    calls: int
    flops: int
    bytes: int


class _Counter(TorchDispatchMode):
    """Counts calls, their floating-point operations, and the bytes of what they return that was not there before.

    (`FlopCounterMode` itself hooks into modules, which `torch.autograd.grad` by pixels alone does not bear.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.flops = self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls += 1
        if (flops := flop_registry.get(func._overloadpacket)) is not None:
            self.flops += flops(*args, **(kwargs or {}), out_val=result)
        given = {_memory(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        for x in tree_leaves(result):
            if isinstance(x, Tensor) and (_memory(x) not in given or _in_place(func)):
                self.bytes += x.numel() * x.element_size()
        return result


def _memory(x: Tensor) -> int:
    return x.untyped_storage().data_ptr()


def _in_place(func: Any) -> bool:
    return bool(func._schema.is_mutable)


def count(run: Callable[[], object]) -> Work:
    """The work of calling `run` once."""
    with _Counter() as counter:
        run()
    return Work(counter.calls, counter.flops, counter.bytes)
