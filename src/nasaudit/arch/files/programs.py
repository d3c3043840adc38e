"""Networks out of files: TorchScript, ONNX, and folders as Hugging Face's libraries save them. Nothing is downloaded.

A TorchScript file is a program: PyTorch asks to treat it like code, and it is run because a user names it as a model,
as a Python file is. ONNX is data; it becomes PyTorch modules by onnx2torch, or, where that lacks an op, is run by
onnxruntime, through which no gradient goes. Folders hold a configuration, and code that they name is never run.
"""

import copy
import hashlib
import io
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from nasaudit.documents import parse_json
from nasaudit.errors import InputError, ModelError, first_line
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.model import HF_CONFIG, ModelSpec
from nasaudit.spec.tasks import MAX_WEIGHTS_BYTES
from nasaudit.strangers import is_file, read_bytes, read_text

PREPROCESSOR = "preprocessor_config.json"  # beside it: mean and standard deviation of the pixels


class Script(nn.Module):
    """A TorchScript module. Its own way to copy itself is recorded by autograd, so that a copy has no leaves."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def __deepcopy__(self, memo: dict[int, Any]) -> "Script":
        with torch.no_grad():
            twin = Script(copy.deepcopy(self.module, memo))
        for own, copied in zip(self.parameters(), twin.parameters(), strict=True):
            copied.requires_grad_(own.requires_grad)
        twin.training = self.training
        return twin

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        return cast(Tensor, self.module(pixels))


class Runtime(nn.Module):
    """An ONNX model run by onnxruntime on the CPU: logits without gradients."""

    def __init__(self, content: bytes):
        super().__init__()
        import onnxruntime

        self.session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def __deepcopy__(self, memo: dict[int, Any]) -> "Runtime":
        return self  # it has no state that a copy could change

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        name = self.session.get_inputs()[0].name
        (logits, *_) = self.session.run(None, {name: pixels.detach().cpu().contiguous().numpy()})
        return torch.from_numpy(logits).to(pixels.device)


def torchscript_body(spec: ArchSpec, model: ModelSpec) -> nn.Module:
    """The module of a TorchScript file; its weights are those of the file."""
    return Script(torch.jit.load(io.BytesIO(_content(spec, model)), map_location="cpu"))  # type: ignore[no-untyped-call]


def onnx_body(spec: ArchSpec, model: ModelSpec) -> nn.Module:
    """The module of an ONNX file; its weights are those of the file.

    Raises:
        ModelError: the extra is missing, or the file is no ONNX, or keeps weights in other files.
    """
    try:
        import onnx
        import onnx2torch
    except ImportError as error:
        raise ModelError(f"{spec.name}: needs the extra `onnx`: pip install nasaudit[onnx]") from error
    content = _content(spec, model)
    try:
        graph = onnx.load_model_from_string(content)
        onnx.checker.check_model(graph)
    except Exception as error:  # protobuf and the checker have errors of their own
        raise ModelError(f"{spec.name}: expected an ONNX model, got: {first_line(error)}") from error
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.graph.initializer):
        raise ModelError(
            f"{spec.name}: keeps its weights in another file; save them inside: torch.onnx.export(..., "
            "external_data=False), or onnx.save(onnx.load(path), path)"
        )
    try:
        return cast(nn.Module, onnx2torch.convert(graph))
    except NotImplementedError:  # an op that it does not know
        return Runtime(content)


def folder_body(spec: ArchSpec, model: ModelSpec) -> nn.Module:
    """An image classifier with fresh weights, by the configuration of a folder; timm's, or transformers'.

    Raises:
        ModelError: transformers is missing, or the folder is of something else.
    """
    folder = Path(model.target)
    config = configuration(folder, HF_CONFIG)
    if "architecture" in config:
        import timm

        options = config.get("model_args") or {}
        return timm.create_model(
            str(config["architecture"]),
            pretrained=False,
            **{**options, "num_classes": spec.classes, "in_chans": spec.input_shape[0]},
        )
    try:
        import transformers
    except ImportError as error:
        raise ModelError(f"{spec.name}: needs the extra `hf`: pip install nasaudit[hf]") from error
    settings = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    body = transformers.AutoModelForImageClassification.from_config(settings, trust_remote_code=False)
    # Its output is a record, of which networks here return the logits.
    body.register_forward_hook(lambda _module, _inputs, output: output.logits)
    return cast(nn.Module, body)


def folder_moments(model: ModelSpec) -> tuple[list[float], list[float]] | None:
    """Mean and standard deviation by channel that a folder says; None: it does not."""
    folder = Path(model.target)
    stated = configuration(folder, HF_CONFIG).get("pretrained_cfg") or {}
    if "mean" in stated and "std" in stated:
        return stated["mean"], stated["std"]
    if not is_file(folder / PREPROCESSOR):
        return None
    stated = configuration(folder, PREPROCESSOR)
    if stated.get("do_normalize") is False:
        return [0.0], [1.0]
    return (stated["image_mean"], stated["image_std"]) if "image_mean" in stated else None


def configuration(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a folder.

    Raises:
        InputError: it is missing, or holds something else.
    """
    values = parse_json(read_text(folder / name, InputError), str(folder / name))
    if not isinstance(values, dict):
        raise ModelError(f"{folder / name}: expected a mapping, got {type(values).__name__}")
    return values


def _content(spec: ArchSpec, model: ModelSpec) -> bytes:
    content = read_bytes(Path(model.target), ModelError, most=MAX_WEIGHTS_BYTES)
    if model.sha256 is not None and hashlib.sha256(content).hexdigest() != model.sha256:
        raise ModelError(
            f"{spec.name}: changed since the study was planned; plan it again, or restore the file"
        )
    return content
