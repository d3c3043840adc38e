"""Paths from the pixels into the features that no learned weight lies on: what an architectural backdoor needs.

Bober-Irizar, Shumailov, Zhao, Mullins and Papernot, "Architectural Backdoors in Neural Networks", CVPR 2023: a
detector of a trigger, made of poolings, exponents and other operations without weights, reads the pixels and is added
to the features (mxbi/backdoor, backdoor/models.py lines 47-67). As it has no weights, no training removes it.

What is looked for: an operation that joins two operands, adds, multiplies, concatenates or selects, of which one
hangs on the pixels through learned layers and the other one on the pixels through none, and whose result the logits
hang on. That one definition holds for a detector that is added and for a gate that multiplies. Logits that hang on
pixels through no learned layer at all count as well. A skip connection behind a learned stem is none: both operands
went through the stem. Which layers are learned: what multiplies, convolves or normalises with a trainable parameter;
element-wise arithmetic with a parameter (a bias, a scale) and buffers (means, fixed filters) make no path learned.

How: one forward pass of two noise images in eval mode, in which each operation of PyTorch tells what its result hangs
on. So it sees what that pass does, whatever its code looks like. A network whose code takes values out of PyTorch (to
branch on them, or to compute with NumPy) cannot be followed, and is not checked. Limits: a detector with a learned
layer of its own, one behind the first learned layer, and one that is off in eval mode are not found.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PIXELS, LEARNED, WEIGHT = "pixels", "learned", "weight"  # what a tensor hangs on, and how
# Operations that pass all their operands on, so that a parameter beside a path is no layer on it.
JOINS = (
    "cat",
    "stack",
    "where",
    "index_put",
    "index_put_",
    "copy_",
    "masked_fill",
    "masked_fill_",
    "scatter",
)
# Of a tensor's values these take nothing.
SHAPE_ONLY = ("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "new_zeros",
              "new_ones", "new_full", "new_empty", "new_empty_strided")  # fmt: skip
# What leaves PyTorch, where nobody can follow it.
LEAVES = (Tensor.numpy, Tensor.tolist, Tensor.__array__)


class NotFollowedError(Exception):
    """A forward pass goes where its operations cannot be followed."""


@dataclass(frozen=True)
class Join:
    """Where a weight-free path meets learned features.

    Attributes:
        op: the operation, as PyTorch calls it: `add`, `mul`, `cat`; `logits` for one that is never joined.
        layer: the innermost module in which it happens, "" for the network itself.
    """

    op: str
    layer: str


def weight_free_paths(network: nn.Module, input_shape: tuple[int, int, int]) -> tuple[Join, ...] | None:
    """The joins of weight-free paths with the features, in the order in which they happen; None: not followed.

    Args:
        network: pixels in [0,1], [N, C, H, W] -> logits; it is left as it is.
        input_shape: (channels, height, width).
    """
    pixels = torch.rand(2, *input_shape, generator=torch.Generator().manual_seed(0))
    modes = {module: module.training for module in network.modules()}
    network.eval()
    follower = _Follower(network, pixels)
    try:
        with torch.no_grad(), _layers(network, follower.layer), _Leaving(follower), follower:
            logits = network(pixels)
        found = follower.of(logits)
    except NotFollowedError:
        return None
    finally:
        for module, mode in modes.items():
            module.training = mode
    if found.kinds & {PIXELS, LEARNED} == set():
        return None
    joins = [join for join in follower.joins if join in found.joins]
    return tuple(joins + [Join("logits", "")] * (PIXELS in found.kinds and not joins))


@dataclass
class _Hangs:
    """What a tensor hangs on: kinds of paths, and the joins behind it."""

    kinds: set[str] = field(default_factory=set)
    joins: set[Join] = field(default_factory=set)


class _Follower(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes of each storage what its values hang on."""

    def __init__(self, network: nn.Module, pixels: Tensor):
        super().__init__()  # type: ignore[no-untyped-call]
        self.joins: list[Join] = []
        self.layer: list[str] = [""]
        self._known: dict[int, tuple[Any, _Hangs]] = {}  # a storage is kept, so that no address is used twice
        self._note(pixels, _Hangs({PIXELS}))
        for parameter in network.parameters():
            if parameter.requires_grad:
                self._note(parameter, _Hangs({WEIGHT}))

    def of(self, value: object) -> _Hangs:
        """What a tensor hangs on."""
        if not isinstance(value, Tensor):
            return _Hangs()
        return self._known.get(value.untyped_storage()._cdata, (None, _Hangs()))[1]

    def _note(self, tensor: Tensor, hangs: _Hangs) -> None:
        storage = tensor.untyped_storage()
        self._known[storage._cdata] = (storage, hangs)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation, and note what its results hang on."""
        name = func.overloadpacket.__name__
        operands = [self.of(leaf) for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Tensor)]
        if name == "_local_scalar_dense" and any({PIXELS, LEARNED} & operand.kinds for operand in operands):
            raise NotFollowedError("a value is read into Python")
        results = func(*args, **(kwargs or {}))
        if name not in SHAPE_ONLY:
            hangs = self._result(name, torch.Tag.pointwise in func.tags or name in JOINS, operands)
            for result in tree_leaves(results):
                if isinstance(result, Tensor) and hangs.kinds:
                    self._note(result, hangs)
        return results

    def _result(self, name: str, keeps: bool, operands: list[_Hangs]) -> _Hangs:
        kinds = set().union(*(operand.kinds for operand in operands))
        joins = set().union(*(operand.joins for operand in operands))
        from_pixels = kinds & {PIXELS, LEARNED}
        if from_pixels and WEIGHT in kinds:
            kinds = from_pixels if keeps else {LEARNED}
        free = any(operand.kinds & {PIXELS, LEARNED} == {PIXELS} for operand in operands)
        if free and LEARNED in kinds and any(LEARNED in operand.kinds for operand in operands):
            join = Join(name.rstrip("_"), self.layer[-1])
            if join not in self.joins:
                self.joins.append(join)
            joins = joins | {join}
        return _Hangs(kinds, joins)


class _Leaving(TorchFunctionMode):
    """Stops where values of the pixels leave PyTorch."""

    def __init__(self, follower: _Follower):
        super().__init__()
        self._follower = follower

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in LEAVES and {PIXELS, LEARNED} & self._follower.of(args[0]).kinds:
            raise NotFollowedError("values leave PyTorch")
        return func(*args, **(kwargs or {}))


@contextmanager
def _layers(network: nn.Module, stack: list[str]) -> Iterator[None]:
    """While it is open, the top of the stack is the name of the module that runs."""
    hooks: list[Any] = []
    for name, module in network.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *_, name=name: stack.append(name)))
        hooks.append(module.register_forward_hook(lambda *_: _drop(stack)))
    try:
        yield
    finally:
        _remove(hooks)


def _drop(stack: list[str]) -> None:
    stack.pop()


def _remove(hooks: Iterable[Any]) -> None:
    for hook in hooks:
        hook.remove()
