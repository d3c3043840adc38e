"""Python code that a user names as the factory of a network: where it is, its digest, and how it is loaded. No torch.

Only `load` runs any of it. Code is identified by the content of its files: of `file.py` and of the modules beside it
that it imports, found by reading the import statements; of a package, all its Python files.

Nothing else of a folder is run: it is on no path, so a `queue.py` that lies there is not what torch gets. Only names
in import statements of the code are found beside it, and they may not be those of anything that nasaudit needs.
"""

import hashlib
import importlib
import importlib.util
import inspect
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from modulefinder import ModuleFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from nasaudit.errors import ModelError, SpecError, UnknownNameError
from nasaudit.strangers import is_file

TAKEN = sys.stdlib_module_names | {
    "nasaudit",
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "sklearn",
    "pandas",
}


@dataclass(frozen=True)
class Code:
    """What a factory is made of.

    Attributes:
        file: the file that holds the factory; None for a module of a package.
        folder: what names in the digest are relative to.
        files: all files that count.
        beside: names of the modules in the folder that it imports; of a package, its own among them, unless it is
            installed.
    """

    file: Path | None
    folder: Path
    files: tuple[Path, ...]
    beside: tuple[str, ...] = ()

    def digest(self) -> str:
        """SHA-256 of the files: of a single one its own, as `sha256sum` has it."""
        if len(self.files) == 1:
            return hashlib.sha256(self.files[0].read_bytes()).hexdigest()
        total = hashlib.sha256()
        for file in sorted(self.files):
            name = file.relative_to(self.folder).as_posix()
            total.update(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {name}\n".encode())
        return total.hexdigest()


def code_digest(target: str) -> str:
    """The digest of the code behind `pkg.module:build` or `path/file.py:build`; none of it is run.

    Raises:
        SpecError: there is no such file or module, or it is not Python.
    """
    return _locate(target).digest()


def load(target: str, sha256: str | None) -> Callable[..., Any]:
    """Run the code and return the factory.

    Names that the file's own imports bring (`blocks`, `utils`) are taken out of `sys.modules` again, so that files of
    different folders do not get each other's modules.

    Args:
        target: `pkg.module:build` or `path/file.py:build`.
        sha256: what the digest was when the study was planned; None: not checked.

    Raises:
        ModelError: the code changed since.
        UnknownNameError: it has no factory of this name.
    """
    code = _locate(target)
    place, _, name = target.rpartition(":")
    if sha256 is not None and code.digest() != sha256:
        raise ModelError(f"{place}: changed since the study was planned; plan it again, or restore the code")
    if code.file is None:
        with _beside(code):
            module = importlib.import_module(place)
    else:
        stem = code.file.stem
        spec = importlib.util.spec_from_file_location(stem, code.file)
        if spec is None or spec.loader is None:
            raise ModelError(f"{code.file}: is not loaded as Python")
        module = importlib.util.module_from_spec(spec)
        with _own_modules((stem, *code.beside)), _beside(code):
            sys.modules[stem] = module
            spec.loader.exec_module(module)
    factory = getattr(module, name, None)
    if not callable(factory) or isinstance(factory, ModuleType):
        known = [
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module.__name__
        ]
        raise UnknownNameError(f"function or class of {place}", name, known)
    return factory  # type: ignore[no-any-return]


def arguments(
    factory: Callable[..., Any], known: dict[str, Any], chosen: Mapping[str, Any] = {}
) -> dict[str, Any]:
    """Those of the known arguments that a factory names, and all that were chosen.

    `**options` may be for anything, and get what was chosen alone.

    Raises:
        ModelError: it needs another one, or takes none of a name that was chosen.
    """
    known = {**known, **chosen}
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # written in C
        return dict(chosen)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = {parameter.name for parameter in parameters if parameter.kind in by_name}
    needed = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and not (parameter.name in known and parameter.kind in by_name)
    ]
    if needed:
        raise ModelError(
            f"needs the argument {needed[0]!r}; expected a function that can be called with "
            f"{' and '.join(f'{name}=' for name in known)} or fewer: give it a default"
        )
    variable = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    if not variable and (unknown := sorted(chosen.keys() - taken)):
        raise ModelError(
            f"takes no argument {unknown[0]!r}, a parameter of the trial; give it one of this name"
        )
    return {name: value for name, value in known.items() if name in taken or name in chosen}


def _locate(target: str) -> Code:
    place = target.rpartition(":")[0]
    if place.endswith(".py"):
        return _file(Path(place))
    top = place.partition(".")[0]
    here = Path.cwd()
    # Not `importlib.util.find_spec`, to which a module of this folder that was loaded before counts as installed.
    found = (finder.find_spec(top, None) for finder in sys.meta_path)
    installed = next((spec for spec in found if spec is not None), None)
    spec = installed or PathFinder.find_spec(top, [str(here)])
    if spec is None:
        raise SpecError("model", "a module that can be imported from here, or path/file.py:build", place)
    if spec.submodule_search_locations is None:
        file = Path(spec.origin or "")
        # What lies beside an installed module is everything that is installed.
        return Code(None, file.parent, (file,)) if str(file.parent) in _installed() else _file(file)
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    files = {file for folder in folders for file in folder.rglob("*.py")}
    if installed:
        return Code(None, folders[0].parent, tuple(files))
    modules = _imports(place, here, lambda finder: finder.import_hook(place))
    return Code(None, here, tuple(files.union(modules.values())), tuple(modules))


def _installed() -> set[str]:
    """Folders that modules are installed into."""
    return {*sysconfig.get_paths().values(), site.getusersitepackages()}


def _file(path: Path) -> Code:
    if not is_file(path):
        raise SpecError("model", "a Python file, as in path/file.py:build", str(path))
    file = path.resolve()
    modules = _imports(str(path), file.parent, lambda finder: finder.run_script(str(path)))
    return Code(file, file.parent, (file, *sorted({*modules.values()} - {file})), tuple(modules))


def _imports(place: str, folder: Path, look: Callable[[ModuleFinder], object]) -> dict[str, Path]:
    """The modules of a folder that code imports, and their files; it is read, and not run."""
    finder = ModuleFinder([str(folder)])
    try:
        look(finder)
    except SyntaxError as error:
        raise SpecError(
            "model", f"Python in {error.filename or place}, line {error.lineno}", error.msg
        ) from error
    except (ImportError, ValueError, UnicodeDecodeError) as error:
        raise SpecError("model", f"Python in {place}", str(error)) from error
    origins = {name: getattr(module, "__file__", None) for name, module in finder.modules.items()}
    modules = {  # without those that are built in, and the code itself
        name: Path(origin).resolve() for name, origin in origins.items() if origin and name != "__main__"
    }
    shadows = sorted(TAKEN & {name.partition(".")[0] for name in modules})
    if shadows:
        raise SpecError(
            "model",
            f"no module beside {place} that is named like one of Python's or nasaudit's; rename it",
            shadows[0],
        )
    return modules


@contextmanager
def _beside(code: Code) -> Iterator[None]:
    """What code imports from beside it is found there, also if something of the name is installed."""
    finder = _Beside(code)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Beside:
    def __init__(self, code: Code):
        self._code = code

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        beside = path is None and name in self._code.beside
        return PathFinder.find_spec(name, [str(self._code.folder)]) if beside else None


@contextmanager
def _own_modules(names: tuple[str, ...]) -> Iterator[None]:
    """Modules of these names are loaded anew inside the block, and what had the names before comes back after it."""
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)
