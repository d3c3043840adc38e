"""Tensors out of files of others: safetensors, or what `torch.save` wrote. No code of a file is run."""

import io
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from nasaudit.arch.files.kinds import is_checkpoint, is_module
from nasaudit.data.safe_pickle import check_program
from nasaudit.errors import CheckpointError, DataError, UnsafeFileError
from nasaudit.spec.tasks import MAX_WEIGHTS_BYTES
from nasaudit.strangers import opened

PICKLE_STARTS = (b"\x80", b"PK\x03\x04")  # a raw pickle, and the zip that torch.save writes
_LEGACY_PARTS = (
    5  # pickles in a file of torch before 1.6: two numbers, the machine, the object, the storages' keys
)
# Where training loops keep the weights in what they save, those that are taken first: Lightning, PyTorch's tutorials,
# torchvision's references and others; then averaged ones (timm), where a file has no others.
WEIGHTS_KEYS = ("state_dict", "model_state_dict", "model", "net", "state_dict_ema", "model_ema")
AVERAGED_KEYS = WEIGHTS_KEYS[4:]
_COMPILED = "_orig_mod."  # what torch.compile puts before the names of the module that it wraps
_AVERAGES = (
    "n_averaged"  # the counter of torch.optim.swa_utils.AveragedModel, which is no part of the network
)
Tell = Callable[[str], None]
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def is_pickle(start: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that starts like this is a pickle, and no safetensors."""
    if not start.startswith(PICKLE_STARTS):
        return False
    # A safetensors file starts with the length of its header, which may begin like a pickle.
    return len(start) < 8 or struct.unpack("<Q", start[:8])[0] >= size


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file.

    Raises:
        UnsafeFileError: a pickle.
        CheckpointError: missing, truncated, or not as the format says.
    """
    with opened(path, CheckpointError, most=MAX_WEIGHTS_BYTES) as file:
        start, size = file.read(8), path.stat().st_size
    if is_pickle(start, size):
        raise UnsafeFileError(
            f"{path}: is a pickle, which can execute code when it is loaded; expected safetensors. "
            "If you trust it: torch.load(..., weights_only=True), then safetensors.torch.save_file"
        )
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return dict(file.metadata() or {}), tensors
    except (
        SafetensorError,
        OSError,
        ValueError,
        KeyError,
        AttributeError,
        RuntimeError,
        MemoryError,
    ) as error:
        why = " ".join(str(error).split())
        raise CheckpointError(f"{path}: expected a whole safetensors file, got: {why}") from error


def unpickle(content: bytes, path: Path, tell: Tell) -> dict[str, Tensor]:
    """The state dict in what `torch.save` wrote, read without running any code of the file.

    Args:
        content: of the file.
        path: of the file, for messages.
        tell: is told which of several weights in it are taken.

    Raises:
        UnsafeFileError: it holds more than tensors.
        CheckpointError: it is damaged, or holds something else than a state dict.
    """
    programs: list[bytes] = []
    try:
        programs = _programs(content)
        if is_module(b"".join(programs)):
            raise pickle.UnpicklingError("a whole module")
        for program in programs:
            check_program(program, _LEGACY_PARTS)
        # Not by the path: a pickle may be called `.safetensors`, which torch would believe.
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafeFileError(f"{path}: {_more_than_tensors(programs, error, path)}") from error
    except Exception as error:  # a damaged file can fail anywhere in torch's reader
        why = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{path}: cannot be read: {why}") from error
    if isinstance(state, dict):
        state = _weights_in(state, path, tell)
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: expected a state dict (names to tensors), got {type(state).__name__}")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: expected a state dict (names to tensors), got {type(value).__name__} at {name!r}"
            )
    return state


def without_prefix(
    expected: Mapping[str, Tensor], given: dict[str, Tensor], path: Path, tell: Tell
) -> dict[str, Tensor]:
    """The tensors by the names that a network has, where a wrapper put something before all of them.

    `module.` (DataParallel), `model.` or `net.` (a LightningModule), `_orig_mod.` (torch.compile, at any depth).
    It is taken off only if every tensor fits then; what does not fit either way is left to `check_fit`.

    Args:
        expected: the network's own.
        given: the file's.
        path: of the file, for messages.
        tell: is told what was taken off.
    """
    wanted = {name: tensor.shape for name, tensor in expected.items()}
    if wanted.keys() == given.keys():
        return given
    for prefix, state in _unwrapped(given):
        if {name: tensor.shape for name, tensor in state.items()} == wanted:
            tell(f"{path}: took {prefix!r} off the names of its {len(state)} tensors, which fit then")
            return state
    return given


def check_fit(expected: dict[str, Tensor], given: dict[str, Tensor], path: Path) -> None:
    """Refuse tensors that are not plain ones of the names, shapes and kinds of number that a network has.

    Raises:
        CheckpointError: how many do not fit, and the first of them.
    """
    for name, value in given.items():
        if type(value) not in (Tensor, nn.Parameter) or value.layout != torch.strided or value.is_quantized:
            raise CheckpointError(
                f"{path}: expected dense tensors of plain numbers; {name} is of another kind"
            )
        if value.device.type != "cpu":
            raise CheckpointError(f"{path}: expected tensors with content, {name} has none ({value.device})")
    first, count = _misfits(
        {name: str(list(tensor.shape)) for name, tensor in expected.items()},
        {name: str(list(tensor.shape)) for name, tensor in given.items()},
    )
    if count:
        raise CheckpointError(f"{path}: {count} tensors do not fit; the first: {first}")
    wrong = [name for name in expected if not _same_kind(expected[name].dtype, given[name].dtype)]
    if wrong:
        wanted, got = expected[wrong[0]].dtype, given[wrong[0]].dtype
        raise CheckpointError(
            f"{path}: {len(wrong)} tensors are of another type; the first: {wrong[0]}: expected {_spoken(wanted)}, "
            f"got {_spoken(got)}. Weights that were quantized or cast must be floats again: state[name].float()"
        )


def check_finite(expected: dict[str, Tensor], given: dict[str, Tensor], path: Path) -> None:
    """Refuse NaN and infinity, also where a number is too large for the network's own type.

    Raises:
        CheckpointError: how many tensors hold one, and the first of them.
    """
    broken = [
        name for name, value in given.items() if not torch.isfinite(value.to(expected[name].dtype)).all()
    ]
    if broken:
        raise CheckpointError(
            f"{path}: {len(broken)} tensors hold NaN or infinite values; the first: {broken[0]}. "
            "A training that diverged cannot be measured; bring weights of an earlier epoch"
        )


def _weights_in(saved: dict[Any, Any], path: Path, tell: Tell) -> Any:
    """What a training loop saved of the weights; the dict itself where it holds nothing else."""
    keys = [key for key in WEIGHTS_KEYS if isinstance(saved.get(key), dict)]
    if not keys:
        return saved
    averaged = [key for key in keys[1:] if key in AVERAGED_KEYS]
    if averaged:
        tell(
            f"{path}: took the weights at {keys[0]!r}, not the averaged ones at {averaged[0]!r}; save those alone to "
            "have them"
        )
    return saved[keys[0]]


def _unwrapped(given: dict[str, Tensor]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """What is taken off, and the tensors without it: each prefix that all names have, the shortest first."""
    own = {name: tensor for name, tensor in given.items() if name != _AVERAGES}
    compiled = {name.replace(_COMPILED, ""): tensor for name, tensor in own.items()}
    took = _COMPILED if compiled.keys() != own.keys() else ""
    if took:
        yield took, compiled
    parts = next(iter(compiled), "").split(".")
    for length in range(1, len(parts)):
        prefix = ".".join(parts[:length]) + "."
        if not all(name.startswith(prefix) for name in compiled):
            return
        yield (
            f"{prefix}{took}",
            {name.removeprefix(prefix): tensor for name, tensor in compiled.items()},
        )


def _more_than_tensors(programs: list[bytes], error: Exception, path: Path) -> str:
    """What a refused pickle is, and how to save what is wanted of it; only its text is looked at."""
    program = b"".join(programs)
    unknown = re.search(r"GLOBAL ([\w.]+)", str(error))
    names = f" ({unknown[1]})" if unknown else ""
    if is_checkpoint(program):
        return (
            f"holds more than tensors{names}, which could execute code when it is loaded. If you trust it, save its "
            f"weights alone: torch.save(torch.load({path.name!r}, weights_only=False)['state_dict'], 'weights.pt')"
        )
    what = "is a whole pickled module" if is_module(program) else "holds more than tensors"
    return (
        f"{what}{names}, which could execute code when it is loaded; expected a state dict: "
        "torch.save(model.state_dict(), ...), or safetensors"
    )


def _misfits(expected: dict[str, str], given: dict[str, str]) -> tuple[str, int]:
    wrong = [
        f"{name}: expected {expected.get(name, 'nothing')}, got {given.get(name, 'nothing')}"
        for name in sorted(expected.keys() | given.keys())
        if expected.get(name) != given.get(name)
    ]
    first = wrong[:3]
    unknown = [line for line in wrong if ": expected nothing" in line]
    if unknown and unknown[0] not in first:  # a prefix, as `module.`, shows only beside what is missing
        first[-1] = unknown[0]
    return "; ".join(first), len(wrong)


def _same_kind(expected: torch.dtype, given: torch.dtype) -> bool:
    return expected == given or any(expected in kind and given in kind for kind in (_FLOATS, _INTEGERS))


def _spoken(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")


def _programs(content: bytes) -> list[bytes]:
    """The pickles in what `torch.save` wrote.

    Raises:
        DataError: an archive that torch did not write: packed, or with one name twice.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return [content]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
        size = sum(member.file_size for member in members)
        if not stored or size > len(content) or len({member.filename for member in members}) < len(members):
            raise DataError("an archive that torch.save did not write")
        return [archive.read(member) for member in members if member.filename.endswith(".pkl")]
