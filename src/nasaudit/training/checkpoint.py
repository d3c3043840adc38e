"""Checkpoints: safetensors that carry the ArchSpec, genotype included. No code of a file is ever run."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from nasaudit.arch.network import Network, build
from nasaudit.documents import parse_json
from nasaudit.errors import CheckpointError, InputError, UnsafeFileError
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.tasks import MAX_WEIGHTS_BYTES, WeightsFile
from nasaudit.strangers import read_bytes
from nasaudit.training.tensor_files import (
    Tell,
    check_finite,
    check_fit,
    is_pickle,
    read_safetensors,
    unpickle,
    without_prefix,
)

FORMAT = "nasaudit/1"


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
    metadata, state = read_safetensors(path)
    stored = _stored_spec(metadata, path)
    if spec is not None and spec != stored:
        raise CheckpointError(f"{path}: holds another architecture: {_difference(spec, stored)}")
    if spec is None and stored.model is not None and stored.model.is_local:
        raise UnsafeFileError(
            f"{path}: names code that would be executed to build its network ({stored.model.target}); "
            "if you trust it, say the architecture: load(path, spec)"
        )
    if (
        spec is None and stored.model is None
    ):  # sizes that a file claims are compared with what it holds before memory is taken
        with torch.device("meta"):
            check_fit(build(stored).state_dict(), state, path)
    network = build(stored)
    check_fit(network.state_dict(), state, path)
    network.load_state_dict(state)
    return network.eval()


def load_given(given: WeightsFile, network: Network, tell: Tell = lambda _: None) -> Network:
    """Fill a fresh network with weights that a user brought: safetensors, or what `torch.save` wrote of tensors.

    Args:
        given: the file; its content must be what it was when the study was planned.
        network: what the weights are said to be of.
        tell: is told, in sentences, what was done to make them fit.

    Returns:
        The network, in eval mode.

    Raises:
        UnsafeFileError: a pickle that holds more than tensors; none of it was run.
        CheckpointError: missing, changed, of another architecture, with other tensors, or not finite.
    """
    path = Path(given.path)
    content = read_bytes(path, CheckpointError, most=MAX_WEIGHTS_BYTES)
    if hashlib.sha256(content).hexdigest() != given.sha256:
        raise CheckpointError(
            f"{path}: changed since the study was planned; plan it again, or restore the file"
        )
    if network.spec.model is not None and network.spec.model.is_program:  # it was built with them
        own = network.state_dict()
        check_finite(own, own, path)
        return network.eval()
    if is_pickle(content[:8], len(content)):
        state = unpickle(content, path, tell)
    else:
        metadata, state = read_safetensors(path)
        _check_same_network(metadata, network.spec, path)
    ours = network.spec.model is None or any(name.startswith("normalise.") for name in state)
    # A model that is defined elsewhere has its own names, without our body and normalisation.
    module = network if ours else network.body
    expected = module.state_dict()
    state = without_prefix(expected, state, path, tell)
    check_fit(expected, state, path)
    check_finite(expected, state, path)
    module.load_state_dict(state)
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
        return ArchSpec.parse(parse_json(metadata["architecture"], "architecture"), where=str(path))
    except (KeyError, InputError) as error:
        raise CheckpointError(
            f"{path}: expected a checkpoint that carries its architecture (written by nasaudit), {error}"
        ) from error


def _difference(expected: ArchSpec, got: ArchSpec) -> str:
    field = next(name for name in ArchSpec.model_fields if getattr(expected, name) != getattr(got, name))
    if field == "genotype":
        return f"{got.name} with another genotype than {expected.name}"
    return f"{field} is {getattr(got, field)!r}, expected {getattr(expected, field)!r}"
