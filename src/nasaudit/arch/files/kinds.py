"""What a file is that a user names as a model: a program, or weights alone. It is looked at, not run. No torch."""

import struct
import zipfile
from pathlib import Path
from typing import Literal

from nasaudit.errors import CheckpointError, ModelError, UnsafeFileError
from nasaudit.spec.model import HF_CONFIG, PROGRAMS
from nasaudit.spec.tasks import MAX_WEIGHTS_BYTES
from nasaudit.strangers import is_file, opened, sha256

Kind = Literal["torchscript", "exported", "onnx", "weights", "module"]
# Names that files of weights, of programs, or of either have.
SUFFIXES = (
    ".pt",
    ".pth",
    ".ckpt",
    ".bin",
    ".safetensors",
    ".pkl",
    ".tar",
    ".ts",
    ".torchscript",
    ".pt2",
    ".onnx",
)
MAX_PICKLE_BYTES = 2**26  # of the names in a file of weights; that of the largest timm model has 1 MiB


def kind_of(path: Path) -> Kind:
    """What a file holds, by its name where that is an ONNX file's and by its content elsewhere.

    Raises:
        CheckpointError: there is no such file, or it cannot be read.
    """
    with opened(path, CheckpointError) as file:
        if path.suffix == ".onnx":
            return "onnx"
        if not zipfile.is_zipfile(file):
            file.seek(0)
            start = file.read(MAX_PICKLE_BYTES)
            return "module" if start.startswith(b"\x80") and is_module(start) else "weights"
        try:
            with zipfile.ZipFile(file) as archive:
                inner = {
                    name.partition("/")[2]: name for name in archive.namelist()
                }  # without the archive's own name
                if "constants.pkl" in inner:
                    return "torchscript"
                if "archive_format" in inner or "serialized_exported_program.json" in archive.namelist():
                    return "exported"
                if "data.pkl" in inner:
                    with archive.open(inner["data.pkl"]) as pickled:
                        return "module" if is_module(pickled.read(MAX_PICKLE_BYTES)) else "weights"
        except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
            raise CheckpointError(f"{path}: cannot be read ({error})") from error
    return "weights"


def digest(target: str) -> str:
    """SHA-256 of a file with a network, or of the configuration in a folder.

    Raises:
        ModelError, UnsafeFileError, CheckpointError: it holds no network that is taken.
    """
    path = Path(target)
    if path.suffix in PROGRAMS:
        refuse_weights(path)
    else:
        path = path / HF_CONFIG
    return sha256(path, ModelError, most=MAX_WEIGHTS_BYTES)


def is_module(program: bytes) -> bool:
    """Whether a pickle holds a torch module: it names what each has, and no weights as a checkpoint does."""
    return _names("_modules", program) and not is_checkpoint(program)


def is_checkpoint(program: bytes) -> bool:
    """Whether a pickle has weights at `state_dict`."""
    return _names("state_dict", program)


def _names(text: str, program: bytes) -> bool:
    """Whether a pickle holds this short text, as protocols up to 3 and from 4 on write it."""
    letters = text.encode()
    return (
        b"X" + struct.pack("<I", len(letters)) + letters in program
        or bytes([0x8C, len(letters)]) + letters in program
    )


def refuse_weights(path: Path) -> None:
    """Say how the network is named whose weights a file holds.

    Raises:
        UnsafeFileError: it is a whole pickled module.
        ModelError: it holds weights and no network.
    """
    if not is_file(path):
        raise ModelError(f"{path}: expected a file, there is none of this name")
    command = f"nasaudit audit net.py:Class --weights {path.name}"
    kind = kind_of(path)
    if kind == "module":
        raise UnsafeFileError(
            f"{path}: is a whole pickled module, which could execute code when it is loaded, and is not. If you "
            "trust it, save its state dict: torch.save(torch.load(...).state_dict(), 'weights.pt'); then say the "
            "network too: nasaudit audit net.py:Class --weights weights.pt"
        )
    if kind == "weights":
        raise ModelError(f"{path}: holds weights without a network; say the network too: {command}")
    if kind == "exported":
        raise UnsafeFileError(
            f"{path}: is an exported program, which torch.export.load may unpickle; if you trust it, save it as "
            "ONNX: torch.onnx.export(torch.export.load(...), f='model.onnx', external_data=False)"
        )
