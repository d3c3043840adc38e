"""A factory of the user's own: found, identified by its content, run only when it is asked for."""

import hashlib
import sys
from pathlib import Path

import pytest
import typing_extensions

from nasaudit.arch import code
from nasaudit.errors import ModelError, SpecError, UnknownNameError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_digest_of_one_file_is_its_sha256_and_nothing_of_it_is_run(folder):
    path = write(folder / "net.py", "raise SystemExit\ndef build(): ...\n")
    assert code.code_digest("net.py:build") == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_digest_covers_what_the_file_imports_from_beside_it_and_nothing_else(folder):
    write(folder / "net.py", "import json\nfrom blocks import one\ndef build(): return one\n")
    blocks = write(folder / "blocks.py", "import parts.two\none = 1\n")
    write(folder / "parts/__init__.py", "")
    two = write(folder / "parts/two.py", "")
    other = write(folder / "other.py", "")
    found = code.code_digest("net.py:build")
    other.write_text("changed = 1\n")
    assert code.code_digest("net.py:build") == found
    seen = {found}
    for path in (blocks, two):
        path.write_text(path.read_text() + "# changed\n")
        seen.add(code.code_digest("net.py:build"))
    assert len(seen) == 3


def test_a_module_of_a_package_has_the_digest_of_the_whole_package(folder):
    write(folder / "mine/__init__.py", "raise SystemExit\n")
    write(folder / "mine/net.py", "")
    deep = write(folder / "mine/deep/blocks.py", "")
    found = code.code_digest("mine.net:build")
    deep.write_text("changed = 1\n")
    assert code.code_digest("mine.net:build") != found


def test_a_module_beside_the_caller_is_taken_like_its_file(folder):
    write(folder / "lonely_net.py", "def build(): return 3\n")
    assert code.code_digest("lonely_net:build") == code.code_digest("lonely_net.py:build")
    assert code.load("lonely_net:build", None)() == 3


def test_files_of_two_folders_each_get_their_own_neighbour(folder):
    for name in ("first", "second"):
        write(folder / name / "net.py", "from neighbour import name\ndef build(): return name\n")
        write(folder / name / "neighbour.py", f"name = {name!r}\n")
    paths = list(sys.path)
    assert [code.load(f"{name}/net.py:build", None)() for name in ("first", "second")] == ["first", "second"]
    assert sys.path == paths
    assert not {"net", "neighbour"} & sys.modules.keys()


def test_code_that_changed_since_planning_is_not_run(folder):
    path = write(folder / "net.py", "def build(): ...\n")
    planned = code.code_digest("net.py:build")
    code.load("net.py:build", planned)
    path.write_text("raise SystemExit\n")
    with pytest.raises(ModelError, match=r"net\.py: changed since the study was planned"):
        code.load("net.py:build", planned)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("absent.py:build", "expected a Python file.*absent.py"),
        ("no_such_module.net:build", "expected a module that can be imported"),
        ("broken.py:build", r"Python in .*broken.py, line 2"),
        ("binary.py:build", r"Python in binary.py"),
    ],
)
def test_what_cannot_be_found_or_read_is_bad_input(folder, target, told):
    write(folder / "broken.py", "import os\ndef build(:\n")
    (folder / "binary.py").write_bytes(b"\0\1\2")
    with pytest.raises(SpecError, match=told):
        code.code_digest(target)


def test_a_name_that_the_file_lacks_is_answered_with_those_that_it_has(folder):
    write(folder / "net.py", "import json\ndef build(): ...\nclass Net: ...\nbuilt = 3\n")
    with pytest.raises(UnknownNameError, match=r"did you mean build\? known: build, Net"):
        code.load("net.py:bild", None)
    for name in ("built", "json"):
        with pytest.raises(UnknownNameError):
            code.load(f"net.py:{name}", None)


def named(classes, input_shape): ...
def fewer(*, classes=3): ...
def nothing(): ...
def anything(*arguments, **options): ...
def optional(classes, depth=3): ...
def more(classes, depth): ...
def by_position(classes, /): ...


@pytest.mark.parametrize(
    ("factory", "given"),
    [
        (named, {"classes": 10, "input_shape": (1, 8, 8)}),
        (fewer, {"classes": 10}),
        (nothing, {}),
        (anything, {}),
        (optional, {"classes": 10}),
    ],
)
def test_a_factory_gets_what_it_names(factory, given):
    assert code.arguments(factory, {"classes": 10, "input_shape": (1, 8, 8)}) == given


@pytest.mark.parametrize(("factory", "needs"), [(more, "depth"), (by_position, "classes")])
def test_a_factory_that_needs_more_is_told_so(factory, needs):
    with pytest.raises(ModelError, match=f"needs the argument '{needs}'.*classes= and input_shape= or fewer"):
        code.arguments(factory, {"classes": 10, "input_shape": (1, 8, 8)})


@pytest.mark.parametrize("name", ["queue", "numpy"])
def test_a_module_beside_that_has_the_name_of_one_that_is_needed_is_refused(folder, name):
    write(folder / "net.py", f"import {name}\ndef build(): ...\n")
    assert code.load("net.py:build", None) is not None
    write(folder / f"{name}.py", "raise SystemExit\n")
    with pytest.raises(SpecError, match=f"beside .*net.py that is named like one .*, got '{name}'"):
        code.code_digest("net.py:build")


def test_what_the_file_imports_from_beside_it_comes_before_what_is_installed(folder):
    write(folder / "net.py", "import pytest\ndef build(): return pytest.mine\n")
    write(folder / "pytest.py", "mine = 3\n")
    assert code.load("net.py:build", None)() == 3
    assert sys.modules["pytest"] is pytest


def test_a_package_of_the_working_folder_finds_what_it_imports_there_and_its_digest_covers_it(folder):
    write(folder / "ours/__init__.py", "")
    write(
        folder / "ours/net.py",
        "import shared_parts\nfrom . import deep\ndef build(): return shared_parts.one\n",
    )
    write(folder / "ours/deep.py", "")
    shared = write(folder / "shared_parts.py", "one = 1\n")
    found = code.code_digest("ours.net:build")
    assert code.load("ours.net:build", found)() == 1
    shared.write_text("one = 2\n")
    assert code.code_digest("ours.net:build") != found
    write(folder / "queue.py", "raise SystemExit\n")
    write(folder / "ours/deep.py", "import queue\n")
    with pytest.raises(SpecError, match=r"beside ours\.net that is named like one of Python's .*got 'queue'"):
        code.code_digest("ours.net:build")


def test_a_name_that_is_computed_is_not_looked_for_beside_the_file(folder):
    """Or else a module that torch tries to import, if it is installed, would be found there too."""
    write(folder / "net.py", "import importlib\nimportlib.import_module('bes' + 'ide')\ndef build(): ...\n")
    write(folder / "beside.py", "")
    with pytest.raises(ModuleNotFoundError, match="beside"):
        code.load("net.py:build", None)


def test_beside_an_installed_module_nothing_is_read(folder):
    """Or its digest would cover all of torch."""
    found = code.code_digest("typing_extensions:final")
    assert found == hashlib.sha256(Path(typing_extensions.__file__).read_bytes()).hexdigest()
