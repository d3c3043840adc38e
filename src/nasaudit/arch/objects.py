"""Modules that a caller of the Python API holds in its hands: known in this process alone, by what they do.

Such an object cannot be written down. A traced or exported program has no training mode, no layers to look into and
no second derivatives by its parameters, all of which audits need; a pickle runs code when it is read. So it stays in
the process that made it, whose serial executor does the tasks, and specs name it by a digest.

The digest says what a module does: how it prints, the code of its own classes, and its answers, in eval and in
training mode, with their gradients by the pixels, on a few fixed images. The same module, built anew in another
process, has the same digest there, and finds the records of before.
"""

import copy
import hashlib
from collections.abc import Iterator
from types import CodeType, FunctionType

import torch
from torch import Tensor, nn

from nasaudit.containment import contained
from nasaudit.errors import ModelError

LIBRARIES = (
    "torch",
    "torchvision",
    "timm",
    "nasaudit",
)  # their code hangs on their version, which records hold
PROBES = 4  # images that a module is asked about

_HELD: dict[str, nn.Module] = {}


def hold(module: nn.Module, input_shape: tuple[int, int, int]) -> str:
    """Keep a copy of a module for the tasks of this process; its digest.

    Args:
        module: left as it is, and free to change afterwards.
        input_shape: (channels, height, width) of the images that it will get, pixels in [0,1].

    Raises:
        ModelError: it cannot be copied.
    """
    try:
        with contained(0):
            twin = copy.deepcopy(module).float().cpu()
    except Exception as error:  # somebody's own __deepcopy__, or a tensor that is no leaf
        raise ModelError(
            f"{type(module).__name__}: cannot be copied: {type(error).__name__}: {error}"
        ) from error
    digest = _digest(twin, input_shape)
    _HELD[digest] = twin
    return digest


def held(digest: str, name: str) -> nn.Module:
    """A copy of a module that was kept, with fresh weights from the global generators.

    Raises:
        ModelError: it is not of this process.
    """
    if digest not in _HELD:
        raise ModelError(
            f"{name}: is a module of a Python process that is gone; hand the same module to nasaudit.audit again"
        )
    twin = copy.deepcopy(_HELD[digest])
    _refresh(twin)
    return twin


def state(module: nn.Module) -> dict[str, Tensor]:
    """Its weights and buffers, each in memory of its own, as they go into a file."""
    return {
        name: (value.float() if value.is_floating_point() else value).detach().cpu().contiguous().clone()
        for name, value in module.state_dict().items()
    }


def _refresh(module: nn.Module) -> None:
    """Weights as before any training: each layer draws its own.

    Of parameters that no layer knows how to draw (class tokens, scales) the values are shuffled: their spread is kept
    and nothing of what they learned.
    """
    with torch.no_grad():
        for layer in module.modules():
            draw = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
            if callable(draw):
                draw()
                continue
            for parameter in layer.parameters(recurse=False):
                shuffled = parameter.flatten()[torch.randperm(parameter.numel())]
                parameter.copy_(shuffled.view_as(parameter))


def _digest(module: nn.Module, input_shape: tuple[int, int, int]) -> str:
    whole = hashlib.sha256()
    for text in (repr(module), *_code(module)):
        whole.update(f"{text}\0".encode())
    for answer in _answers(copy.deepcopy(module), input_shape):
        whole.update(answer)
    return whole.hexdigest()


def _answers(module: nn.Module, input_shape: tuple[int, int, int]) -> Iterator[bytes]:
    with contained(0):
        torch.set_num_threads(1)  # the order of sums, and so the last digits, hang on it
        images = torch.rand(PROBES, *input_shape)
        for mode in (False, True):
            pixels = images.clone().requires_grad_()
            try:
                logits = module.train(mode)(pixels)
                (slope,) = torch.autograd.grad(logits.square().sum(), pixels)
            except Exception as error:  # said in full when the module is tried, before the study begins
                yield type(error).__name__.encode()
                continue
            yield logits.detach().numpy().tobytes()
            yield slope.numpy().tobytes()


def _code(module: nn.Module) -> Iterator[str]:
    """The code of the classes that are no library's, in the order in which the module uses them."""
    classes = dict.fromkeys(kind for layer in module.modules() for kind in type(layer).__mro__)
    for kind in classes:
        if kind is object or kind.__module__.partition(".")[0] in LIBRARIES:
            continue
        yield kind.__qualname__
        for name, value in sorted(vars(kind).items()):
            function = getattr(value, "__func__", value)
            if isinstance(function, FunctionType):
                yield name
                yield from _spelled(function.__code__)


def _spelled(code: CodeType) -> Iterator[str]:
    """Instructions, names and constants: not where in which file they stand, which a notebook's cell changes."""
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _spelled(constant)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant)
