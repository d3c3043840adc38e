"""What a plugin must leave as it found it, and what it must not do behind the Oracle's back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from nasaudit.data.split import Split
from nasaudit.victim.classifier import Classifier


@contextmanager
def untouched(*things: nn.Module | Split) -> Iterator[None]:
    """Fail if one of these changes inside the block by a bit, or a number is drawn from a global generator.

    Of a network: weights, gradients, BN statistics and training flags. Of a Split: images, labels and indices.
    """
    before, numbers = [_everything(thing) for thing in things], _generators()
    yield
    for thing, state in zip(things, before, strict=True):
        after = _everything(thing)
        assert state.keys() == after.keys(), f"other parts than before: {state.keys() ^ after.keys()}"
        for name, value in state.items():
            # As bytes: a NaN is the same NaN.
            same = _bits(value) == _bits(after[name])
            assert same, f"expected {name} of the {type(thing).__name__} to be left alone, it was changed"
    assert numbers == _generators(), "expected no draw from a global generator, and no seed set"


@contextmanager
def counted(victim: Classifier) -> Iterator[list[int]]:
    """The numbers of images that the victim's network sees inside the block, whoever asks it."""
    seen: list[int] = []
    hook = victim.network.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    yield seen
    hook.remove()


def _everything(thing: nn.Module | Split) -> dict[str, object]:
    if isinstance(thing, Split):
        return {name: getattr(thing, name).clone() for name in ("images", "labels", "indices")}
    state: dict[str, object] = {name: tensor.clone() for name, tensor in thing.state_dict().items()}
    for name, parameter in thing.named_parameters():
        state[f"{name} gradient"] = None if parameter.grad is None else parameter.grad.clone()
        state[f"{name} requires_grad"] = parameter.requires_grad
    for name, module in thing.named_modules():
        state[f"{name} training"] = module.training
    return state


def _bits(value: object) -> object:
    return value.detach().cpu().contiguous().numpy().tobytes() if isinstance(value, Tensor) else value


def _generators() -> tuple[object, ...]:
    return torch.random.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()
