"""Networks that are defined elsewhere, as bodies of ours: of libraries, NAS-Bench-201, Python code, files, objects.

Whoever built it, a body maps normalised images [N, C, H, W] to logits [N, classes], in float32 on the CPU. That is
tried here with two images, so that what does not fit is said before anything is trained. It runs inside of
`contained`: what code of others prints, seeds or sets globally stays there.
"""

import copy
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from nasaudit.arch import code, objects
from nasaudit.arch.files.programs import folder_body, folder_moments, onnx_body, torchscript_body
from nasaudit.arch.nasbench201 import Network201
from nasaudit.containment import contained
from nasaudit.errors import ModelError, NasauditError, UnknownNameError
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.model import LIBRARIES, Builder, ModelSpec, Moments

Failure = (Exception, SystemExit)  # a user's module may call exit
# Extra classifiers that serve training only, where torchvision has them by default.
WITHOUT_AUXILIARY = ("googlenet", "inception_v3")


def model_body(spec: ArchSpec, model: ModelSpec) -> nn.Module:
    """A body with fresh weights, drawn from the global generators, which the caller seeds.

    Raises:
        UnknownNameError: the library has no model of this name, or the code no such factory.
        ModelError: it cannot be built for these images and classes.
    """
    with _explained(spec, model, "cannot be built"):
        body = _BUILDERS[model.builder](spec, model)
    if not isinstance(body, nn.Module):
        raise ModelError(f"{spec.name}: expected a torch.nn.Module, got {type(body).__name__}")
    body = body.float().cpu()
    if next(body.parameters(), None) is None and not model.is_program:
        raise ModelError(f"{spec.name}: expected a module with parameters, got one without")
    return body


def own_moments(spec: ArchSpec, model: ModelSpec) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation that the published weights of a model were trained with.

    Nothing (0 and 1) for Python code, which normalises inside; for gray images timm averages over the channels.
    """
    channels = spec.input_shape[0]
    if model.builder == "timm":
        import timm

        published = timm.get_pretrained_cfg(model.target)
        if published is None:
            raise ModelError(f"{spec.name}: timm states no normalisation for it: say `normalise`")
        mean, std = published.mean, published.std
        if len(mean) != channels:
            mean, std = ((sum(values) / len(values),) * channels for values in (mean, std))
        return torch.tensor(mean), torch.tensor(std)
    if model.builder == "torchvision":
        from torchvision import models

        weights = list(models.get_model_weights(model.target))  # type: ignore[attr-defined]
        if weights:
            preset = weights[-1].transforms()
            return torch.tensor(preset.mean), torch.tensor(preset.std)
    if model.builder == "hf" and (stated := folder_moments(model)) is not None:
        return torch.tensor(stated[0]), torch.tensor(stated[1])
    return torch.zeros(channels), torch.ones(channels)


def moments_of(spec: ArchSpec, dataset: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by channel that stand in front of a body.

    torchvision's models read three channels: a gray image becomes three when three moments are taken off it.
    """
    channels = spec.input_shape[0]
    match spec.normalise:
        case Moments(mean=mean, std=std):
            moments = torch.tensor(mean), torch.tensor(std)
        case "own":
            moments = own_moments(spec, cast(ModelSpec, spec.model))
        case "none":
            moments = torch.zeros(channels), torch.ones(channels)
        case _:
            moments = dataset or (torch.full((channels,), 0.5), torch.full((channels,), 0.25))
    wide = 3 if spec.model is not None and spec.model.builder == "torchvision" else channels
    return moments[0].expand(wide), moments[1].expand(wide)


def reads_channels_last(spec: ArchSpec, model: ModelSpec, network: nn.Module) -> bool:
    """Try the network with two images in eval mode; whether it takes them channels-last, which is faster.

    Raises:
        ModelError: its forward pass raises, or does not return [N, classes]; or it cannot be copied.
    """
    plain = torch.zeros(2, *spec.input_shape)
    interleaved = torch.empty_like(plain, memory_format=torch.channels_last).zero_()
    mode = network.training
    with contained(0), torch.no_grad():
        network.eval()
        try:
            try_forward(spec, model, network, plain)
            with _explained(spec, model, "cannot be copied"):  # as attacks and analyses do
                twin = copy.deepcopy(network).to(memory_format=torch.channels_last)
        finally:
            network.train(mode)
        try:
            # `x.view(len(x), -1)` is how many networks end, and what a channels-last tensor does not allow.
            try_forward(spec, model, twin, interleaved)
        except ModelError:
            return False
    return True


def try_forward(spec: ArchSpec, model: ModelSpec, network: nn.Module, pixels: Tensor) -> Tensor:
    """Logits.

    Raises:
        ModelError: the forward pass raises, or returns anything else.
    """
    shape, advice = "x".join(map(str, spec.input_shape)), ""
    if model.builder == "timm":
        import timm

        published = timm.get_pretrained_cfg(model.target)
        if published:
            size = "x".join(map(str, published.input_size))
            advice = f"; it is made for {size}: take larger images, or another model"
    if model.is_program:
        advice = "; a file that takes batches of one size only must be exported with a batch of any size"
    with _explained(spec, model, f"does not work on images of {shape}", advice):
        logits = network(pixels)
    if not isinstance(logits, Tensor):
        raise ModelError(f"{spec.name}: expected logits as one tensor, got {type(logits).__name__}")
    if logits.shape != (len(pixels), spec.classes):
        raise ModelError(
            f"{spec.name}: expected logits of shape [{len(pixels)}, {spec.classes}] for {spec.classes} classes, got "
            f"{list(logits.shape)}"
            + ("; let the function take `classes`" if model.builder == "python" else "")
        )
    return logits


def check_model(spec: ArchSpec, model: ModelSpec, network: nn.Module) -> None:
    """All that training and attacks will do once: a copy, a step in training mode, gradients by the pixels.

    Args:
        spec: of the network.
        model: of the network.
        network: a copy is worked on.

    Raises:
        ModelError: something of it fails; the message says what.
    """
    with contained(0):
        with _explained(spec, model, "cannot be copied"):
            twin = copy.deepcopy(network)
        pixels = torch.rand(4, *spec.input_shape, requires_grad=True)
        logits = try_forward(spec, model, twin.train(), pixels)
        by_pixels = None
        if logits.requires_grad:
            with _explained(spec, model, "cannot be differentiated"):
                (by_pixels,) = torch.autograd.grad(logits.square().sum(), pixels, allow_unused=True)
    if by_pixels is None:
        raise ModelError(f"{spec.name}: expected logits that can be differentiated by the pixels, got none")
    # How many pixels at the end of each side nothing hangs on; 0 where nothing hangs on any.
    read = [by_pixels.abs().sum(dim=(0, 1)).amax(dim=1 - side).nonzero() for side in (0, 1)]
    sides = zip(spec.input_shape[1:], read, strict=True)
    unread = [size - 1 - int(positions.max()) if len(positions) else 0 for size, positions in sides]
    if model.builder in LIBRARIES and max(unread) > 1:
        height, width = (size - left for size, left in zip(spec.input_shape[1:], unread, strict=True))
        raise ModelError(
            f"{spec.name}: reads only the first {height}x{width} pixels of "
            f"{spec.input_shape[1]}x{spec.input_shape[2]}, since its patches do not divide the image; take images of "
            "another size, or another model"
        )


def check_program(
    spec: ArchSpec, model: ModelSpec, network: nn.Module, by_pixels: Sequence[str], by_weights: Sequence[str]
) -> None:
    """The same of a trained network from a file: gradients are asked for only where something takes them.

    Args:
        spec: of the network.
        model: of the network.
        network: a copy is worked on.
        by_pixels: names of what will take gradients by its pixels.
        by_weights: names of what will take gradients by its weights.

    Raises:
        ModelError: it fails, or no gradient goes through it that something takes.
    """
    with contained(0):
        twin = copy.deepcopy(network).eval()
        pixels = torch.rand(4, *spec.input_shape, requires_grad=True)
        with _explained(spec, model, "cannot be differentiated"):
            logits = try_forward(spec, model, twin, pixels)
            weights = [weight for weight in twin.parameters() if weight.requires_grad]
            targets = [pixels, *weights] if logits.requires_grad else []
            gradients = (
                torch.autograd.grad(logits.square().sum(), targets, allow_unused=True) if targets else ()
            )
    missing = [] if gradients and gradients[0] is not None else [("pixels", by_pixels)]
    if all(gradient is None for gradient in gradients[1:]):
        missing.append(("weights", by_weights))
    takers = [name for _, names in missing for name in names]
    if takers:
        ways = " or ".join(way for way, names in missing if names)
        raise ModelError(
            f"{spec.name}: has no gradient by its {ways}, which {', '.join(takers)} would take; leave them out, as "
            "with --attacks square,hop_skip_jump --analyses none"
        )


def _timm(spec: ArchSpec, model: ModelSpec) -> nn.Module:
    import timm

    if not timm.is_model(model.target):
        raise UnknownNameError("timm model", model.target, timm.list_models())
    published = timm.get_pretrained_cfg(model.target)
    # Models of patches and windows are made for one size, which they are told.
    size: dict[str, Any] = (
        {"img_size": spec.input_shape[1:]} if published and published.fixed_input_size else {}
    )
    body = timm.create_model(
        model.target, pretrained=False, num_classes=spec.classes, in_chans=spec.input_shape[0], **size
    )
    return _transformable(body)


def _torchvision(spec: ArchSpec, model: ModelSpec) -> nn.Module:
    from torchvision import models

    known = models.list_models(module=models)  # type: ignore[attr-defined]
    if model.target not in known:
        raise UnknownNameError("torchvision model", model.target, known)
    options: dict[str, Any] = {"aux_logits": False} if model.target in WITHOUT_AUXILIARY else {}
    if model.target.startswith("vit_"):
        height, width = spec.input_shape[1:]
        if height != width:
            raise ModelError(f"{spec.name}: expected square images, got {height}x{width}")
        options["image_size"] = height
    create = models.get_model  # type: ignore[attr-defined]
    return _transformable(create(model.target, weights=None, num_classes=spec.classes, **options))


def _python(spec: ArchSpec, model: ModelSpec) -> nn.Module:
    factory = code.load(model.target, model.sha256)
    known = {"classes": spec.classes, "input_shape": spec.input_shape}
    try:
        return cast(nn.Module, factory(**code.arguments(factory, known, model.parameters or {})))
    except ModelError as error:
        raise ModelError(f"{spec.name}: {error}") from error


_BUILDERS: dict[Builder, Callable[[ArchSpec, ModelSpec], nn.Module]] = {
    "timm": _timm,
    "torchvision": _torchvision,
    "nasbench201": lambda spec, model: Network201(spec, model.target),
    "python": _python,
    "torchscript": torchscript_body,
    "onnx": onnx_body,
    "hf": lambda spec, model: _transformable(folder_body(spec, model)),
    "object": lambda spec, model: _transformable(objects.held(model.sha256 or "", spec.name)),
}


def _transformable(body: nn.Module) -> nn.Module:
    """The same function, written so that hooks and function transforms can look at it."""
    for module in body.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
        if getattr(module, "fused_attn", False):
            module.fused_attn = False  # type: ignore[assignment]  # the fused kernel has no second derivative
    return body


@contextmanager
def _explained(spec: ArchSpec, model: ModelSpec, trouble: str, advice: str = "") -> Iterator[None]:
    """A failure of somebody's code becomes a ModelError.

    It has the failure's type and first line, and of a user's own code the line where it came from.
    """
    try:
        yield
    except NasauditError:
        raise
    except Failure as error:
        reason = "it calls exit"
        if not isinstance(error, SystemExit):
            lines = str(error).strip().splitlines()
            reason = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        file = Path(model.target.rpartition(":")[0]).name
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == file
        ]
        if model.builder == "python" and frames:
            reason += f" ({file}, line {frames[-1].lineno})"
        raise ModelError(f"{spec.name}: {trouble}: {reason}{advice}") from error
