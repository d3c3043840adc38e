"""What a caller holds in its hands, trained modules and images, as the choices and data of a study."""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nasaudit.arch.catalogue import CATALOGUE, choose
from nasaudit.data.arrays import Images, write_images
from nasaudit.data.catalogue import describe, fetch, parse_data, settle
from nasaudit.errors import InputError, SpecError
from nasaudit.progress import Progress, silent
from nasaudit.running.display.progress import shows_progress
from nasaudit.running.options import RunOptions
from nasaudit.spec.arch import Scale
from nasaudit.spec.data import DataSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.model import ModelSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.store.files import write_atomically

if TYPE_CHECKING:
    from torch import nn

Architecture = str | Genotype | ArchChoice
# Modules under names of the caller's own, or several in a list, may stand for one.
One: TypeAlias = "Architecture | nn.Module"
Wanted: TypeAlias = "One | Mapping[str, One] | Sequence[One]"


def settled(data: str | DataSpec | Images, folder: Path, options: RunOptions) -> DataSpec:
    """The data set that a caller names or brings; images in memory are written into `folder`, once.

    Raises:
        InputError: there is no such set, or the images are of another form.
    """
    if isinstance(data, str):
        return parse_data(data)
    if isinstance(data, DataSpec):
        return settle(data)
    with _bar(options) as progress:
        return write_images(data, folder, progress)


def chosen(
    wanted: Iterable[Wanted], data: DataSpec, scale: Scale, folder: Path, options: RunOptions
) -> tuple[list[ArchChoice], bool]:
    """The architectures that a caller names or brings, and whether one lives in this process alone.

    Args:
        wanted: names, genotypes, choices, trained modules.
        data: that they are audited on.
        scale: that a network of nasaudit's own must have.
        folder: the weights of modules are written there, once.
        options: where the data are.

    Raises:
        InputError: something is no architecture; the message says what was expected.
    """
    choices: list[ArchChoice] = []
    objects = False
    for name, each in _each(wanted):
        choice = _named(each)
        if choice is None:
            choice = _trained(each, data, scale, folder, options)
            objects = objects or (choice.model is not None and choice.model.builder == "object")
            if not name and choice.model is not None:
                name = _free(choice.name, {other.name for other in choices})  # noqa: PLW2901
        choices.append(choice.model_copy(update={"name": name}) if name else choice)
    return choices, objects


def _each(wanted: Iterable[Wanted]) -> Iterator[tuple[str, Any]]:
    for each in wanted:
        if isinstance(each, Mapping):
            yield from each.items()
        elif isinstance(each, list | tuple):
            yield from (("", item) for item in each)
        else:
            yield "", each


def _named(wanted: object) -> ArchChoice | None:
    match wanted:
        case str():
            return choose(wanted)
        case ArchChoice():
            return wanted
        case Genotype():
            return ArchChoice(name="genotype", genotype=wanted)
    return None


def _trained(wanted: object, data: DataSpec, scale: Scale, folder: Path, options: RunOptions) -> ArchChoice:
    torch = sys.modules.get("torch")  # whoever holds a module has imported it
    if torch is None or not isinstance(wanted, torch.nn.Module):
        call = "; call it first" if isinstance(wanted, type) else ""
        raise InputError(
            f"architectures: expected names, genotypes or trained torch modules, got {type(wanted).__name__}{call}"
        )
    from nasaudit.arch import objects
    from nasaudit.arch.network import Network

    kind = type(wanted).__name__
    if next(wanted.parameters(), None) is None:
        raise InputError(f"{kind}: expected a module with parameters, got one without")
    if isinstance(wanted, torch.jit.ScriptModule):
        raise InputError(
            f"{kind}: expected a module of Python; save this one by torch.jit.save and name the file"
        )
    weights = _written(wanted, folder, kind)
    if isinstance(wanted, Network) and wanted.spec.model is None:
        spec = wanted.spec
        if spec.scale != scale:
            raise SpecError("scale", f"{spec.scale}, that of the network", scale)
        genotype = None if spec.name in CATALOGUE else spec.genotype
        return ArchChoice(name=spec.name, genotype=genotype, auxiliary=spec.auxiliary, weights=weights)
    if options.download:
        fetch(data, options.downloads)
    shape, _ = describe(data, options.downloads)
    model = ModelSpec(builder="object", target=kind, sha256=objects.hold(wanted, shape))
    return ArchChoice(name=kind, model=model, weights=weights)


def _written(module: "nn.Module", folder: Path, kind: str) -> str:
    """The path of its weights, in a file that is named by its content."""
    from safetensors.torch import save

    from nasaudit.arch import objects

    content = save(objects.state(module))
    path = folder.absolute() / f"{kind.lower()}-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return str(path)


def _free(name: str, taken: set[str]) -> str:
    """A name like this one that neither the catalogue nor another module has."""
    name = f"own {name}" if name in CATALOGUE else name
    names = (name if number == 1 else f"{name} {number}" for number in range(1, len(taken) + 2))
    return next(each for each in names if each not in taken)


@contextmanager
def _bar(options: RunOptions) -> Iterator[Progress]:
    """A bar for what is read before a run, where the run itself would show bars."""
    if options.observer is not None or not shows_progress():
        yield silent
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("reading images", total=1.0)

        def show(done: float, text: str = "") -> None:
            bars.update(task, completed=done, description=text or "reading images")

        yield show
