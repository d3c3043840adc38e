"""Checkpoints: safetensors that carry the ArchSpec, genotype included. Nothing is ever unpickled."""

import json
import struct
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nasaudit.arch.network import Network, build
from nasaudit.errors import CheckpointError, InputError, UnsafeFileError
from nasaudit.spec.arch import ArchSpec

FORMAT = "nasaudit/1"
_PICKLE_STARTS = (b"\x80", b"PK\x03\x04")  # a raw pickle, and the zip that torch.save writes


def save(network: Network, path: Path, clean_accuracy: float) -> None:
    """Write weights and buffers with the ArchSpec and the accuracy they had, which a loader checks again."""
    metadata = {
        "format": FORMAT,
        "architecture": network.spec.canonical_json(),
        "clean_accuracy": repr(clean_accuracy),
    }
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, path, metadata=metadata)


def load(path: Path, spec: ArchSpec | None = None) -> Network:
    """Rebuild the network of a checkpoint, in eval mode.

    Args:
        path: a file that `save` wrote.
        spec: the architecture that is expected; None takes the checkpoint's own.

    Raises:
        UnsafeFileError: the file is a pickle, which could execute code.
        CheckpointError: missing, truncated, of another architecture, or with other tensors.
    """
    metadata = read_metadata(path)
    try:
        stored = ArchSpec.parse(json.loads(metadata["architecture"]), where=str(path))
    except (KeyError, json.JSONDecodeError, InputError) as error:
        raise CheckpointError(
            f"{path}: expected a checkpoint that carries its architecture (written by nasaudit), {error}"
        ) from error
    if spec is not None and spec != stored:
        raise CheckpointError(f"{path}: holds another architecture: {_difference(spec, stored)}")
    network = build(stored)
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    expected = network.state_dict()
    wrong = [
        f"{name}: expected {_shape(expected.get(name))}, got {_shape(state.get(name))}"
        for name in sorted(expected.keys() | state.keys())
        if _shape(expected.get(name)) != _shape(state.get(name))
    ]
    if wrong:
        raise CheckpointError(f"{path}: {len(wrong)} tensors do not fit; the first: " + "; ".join(wrong[:3]))
    network.load_state_dict(state)
    return network.eval()


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, after the checks that need no tensor."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be opened: {error.strerror}") from error
    if start.startswith(_PICKLE_STARTS) and not _plausible_header(start, path):
        raise UnsafeFileError(
            f"{path}: is a pickle, which can execute code when it is loaded; expected safetensors. "
            "If you trust it: torch.load(..., weights_only=True), then safetensors.torch.save_file"
        )
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: expected a whole safetensors file, got: {error}") from error


def _plausible_header(start: bytes, path: Path) -> bool:
    """Whether the first 8 bytes can be the length of a safetensors header in a file of this size."""
    return len(start) == 8 and struct.unpack("<Q", start)[0] < path.stat().st_size


def _shape(tensor: object) -> str:
    shape = getattr(tensor, "shape", None)
    return "nothing" if shape is None else str(list(shape))


def _difference(expected: ArchSpec, got: ArchSpec) -> str:
    fields = [name for name in ArchSpec.model_fields if getattr(expected, name) != getattr(got, name)]
    field = fields[0]
    if field == "genotype":
        return f"{got.name} with another genotype than {expected.name}"
    return f"{field} is {getattr(got, field)!r}, expected {getattr(expected, field)!r}"
