"""Checkpoints: safetensors that carry the ArchSpec, genotype included. No code of a file is ever run."""

import hashlib
import io
import json
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nasaudit.arch.network import Network, build
from nasaudit.errors import CheckpointError, InputError, UnsafeFileError
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.tasks import WeightsFile

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
        UnsafeFileError: the file is a pickle, which could execute code; or it alone names Python code to build with.
        CheckpointError: missing, truncated, of another architecture, or with other tensors.
    """
    metadata, state = _read(path)
    stored = _stored_spec(metadata, path)
    if spec is not None and spec != stored:
        raise CheckpointError(f"{path}: holds another architecture: {_difference(spec, stored)}")
    if spec is None and stored.model is not None and stored.model.builder == "python":
        raise UnsafeFileError(
            f"{path}: names code that would be executed to build its network ({stored.model.target}); "
            "if you trust it, say the architecture: load(path, spec)"
        )
    network = build(stored)
    _fill(network, state, path)
    return network.eval()


def load_given(given: WeightsFile, network: Network) -> Network:
    """Fill a fresh network with weights that a user brought: safetensors, or what `torch.save` wrote of tensors.

    Args:
        given: the file; its content must be what it was when the study was planned.
        network: what the weights are said to be of.

    Returns:
        The network, in eval mode.

    Raises:
        UnsafeFileError: a pickle that holds more than tensors; none of it was run.
        CheckpointError: missing, changed, of another architecture, with other tensors, or not finite.
    """
    path = Path(given.path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be opened: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != given.sha256:
        raise CheckpointError(
            f"{path}: changed since the study was planned; plan it again, or restore the file"
        )
    if content.startswith(_PICKLE_STARTS) and not _plausible_header(content[:8], path):
        state = _unpickled(content, path)
    else:
        metadata, state = _read(path)
        _check_same_network(metadata, network.spec, path)
    broken = [name for name, value in state.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(
            f"{path}: {len(broken)} tensors hold NaN or infinite values; the first: {broken[0]}. "
            "A training that diverged cannot be measured; bring weights of an earlier epoch"
        )
    ours = network.spec.model is None or any(name.startswith("normalise.") for name in state)
    # A model that is defined elsewhere has its own names, without our body and normalisation.
    _fill(network if ours else network.body, state, path)
    return network.eval()


def _check_same_network(metadata: Mapping[str, str], expected: ArchSpec, path: Path) -> None:
    """A checkpoint of nasaudit's says what it is of; names of cells and training-time options may differ.

    So may a user's own code: whether it still fits is seen from the tensors.
    """
    if metadata.get("format") != FORMAT:
        return
    free = {"group", "drop_path", "dropout"}
    if expected.genotype is not None or expected.model is not None:
        free.add("name")
    if expected.model is not None and expected.model.builder == "python":
        free.add("model")
    stored = _stored_spec(metadata, path)
    alike = stored.model_copy(update={field: getattr(expected, field) for field in free})
    if alike != expected:
        got = alike if alike.genotype == expected.genotype else stored
        raise CheckpointError(f"{path}: holds another architecture: {_difference(expected, got)}")


def _stored_spec(metadata: Mapping[str, str], path: Path) -> ArchSpec:
    try:
        return ArchSpec.parse(json.loads(metadata["architecture"]), where=str(path))
    except (KeyError, json.JSONDecodeError, InputError) as error:
        raise CheckpointError(
            f"{path}: expected a checkpoint that carries its architecture (written by nasaudit), {error}"
        ) from error


def _unpickled(content: bytes, path: Path) -> dict[str, Tensor]:
    """A state dict that torch reads without running any code of the file."""
    try:
        # Not by the path: a pickle may be called `.safetensors`, which torch would believe.
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafeFileError(
            f"{path}: holds more than tensors, which could execute code when it is loaded; expected a state dict: "
            "torch.save(model.state_dict(), ...), or safetensors"
        ) from error
    except Exception as error:  # a damaged file can fail anywhere in torch's reader
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: expected a state dict (names to tensors), got {type(state).__name__}")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: expected a state dict (names to tensors), got {type(value).__name__} at {name!r}"
            )
    return state


def _fill(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load the tensors, if every one fits."""
    expected, given = (
        {name: str(list(tensor.shape)) for name, tensor in tensors.items()}
        for tensors in (module.state_dict(), state)
    )
    wrong = [
        f"{name}: expected {expected.get(name, 'nothing')}, got {given.get(name, 'nothing')}"
        for name in sorted(expected.keys() | given.keys())
        if expected.get(name) != given.get(name)
    ]
    if wrong:
        first = wrong[:3]
        unknown = [line for line in wrong if ": expected nothing" in line]
        if unknown and unknown[0] not in first:  # a prefix, as `module.`, shows only beside what is missing
            first[-1] = unknown[0]
        raise CheckpointError(f"{path}: {len(wrong)} tensors do not fit; the first: " + "; ".join(first))
    module.load_state_dict(state)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file."""
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
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return dict(file.metadata() or {}), tensors
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: expected a whole safetensors file, got: {error}") from error


def _plausible_header(start: bytes, path: Path) -> bool:
    """Whether the first 8 bytes can be the length of a safetensors header in a file of this size."""
    return len(start) == 8 and struct.unpack("<Q", start)[0] < path.stat().st_size


def _difference(expected: ArchSpec, got: ArchSpec) -> str:
    field = next(name for name in ArchSpec.model_fields if getattr(expected, name) != getattr(got, name))
    if field == "genotype":
        return f"{got.name} with another genotype than {expected.name}"
    return f"{field} is {getattr(got, field)!r}, expected {getattr(expected, field)!r}"
