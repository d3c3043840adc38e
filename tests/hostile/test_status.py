"""`study status` on a stranger's folder: study.json and records of any shape end in a status or in one sentence."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nasaudit.planning.plan import plan
from nasaudit.results.folder import StudyFolder
from nasaudit.spec.study import StudySpec
from nasaudit.store.store import Store

Run = Callable[..., tuple[Any, str, str]]
SMALL = {
    "architectures": ["darts"], "data": "digits", "seeds": [0], "name": "small", "analyses": ["topology"],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study that has just begun, in `hostile`."""
    (tmp_path / "hostile").mkdir()
    made = StudyFolder(tmp_path / "hostile")
    made.claim(StudySpec.parse(SMALL), made.store, tmp_path)
    return made.path


def content(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "study.json").read_text())


# Where something else stands in study.json, what, and the exit code.
ALTERED: dict[str, tuple[str, Any, int]] = {
    "a store that is a number": ("store", 5, 3),
    "a store without a name": ("store", "", 3),
    "a store with a NUL": ("store", "a\0b", 3),
    "downloads that are a list": ("downloads", ["/"], 3),
    "no study": ("study", None, 3),
    "a study that is a text": ("study", "darts", 3),
    "another format": ("format", 99, 3),
    "a format that is true": ("format", True, 3),
    "an architecture that there is not": ("study.architectures", [{"name": "absent"}], 2),
    "an architecture of another kind": ("study.architectures", [{"name": 7}], 2),
    "no architectures": ("study.architectures", [], 2),
    "seeds that are texts": ("study.seeds", ["a"], 2),
    "no seeds": ("study.seeds", [], 2),
    "an attack that there is not": ("study.attacks", [{"name": "alchemy"}], 2),
    "an epsilon that is NaN": ("study.attacks", [{"name": "pgd", "epsilons": [float("nan")]}], 3),
    "an epsilon of x/0": ("study.attacks", [{"name": "pgd", "epsilons": ["x/0"]}], 2),
    "data that there are not": ("study.data", {"name": "absent"}, 2),
    "data of a device": ("study.data", {"name": "npz", "path": "/dev/zero"}, 2),
    "data of a text elsewhere": ("study.data", {"name": "npz", "path": "/etc/passwd"}, 2),
    "a field that there is not": ("study.surprise", 1, 2),
    "a name with a colour": ("study.name", "\x1b[31mred\nnasaudit: done", 0),
    "another scale": ("study.scale", "planetary", 2),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", ALTERED)
def test_a_study_of_another_shape_ends_in_one_sentence(case: str, folder: Path, command: Run) -> None:
    path, value, expected = ALTERED[case]
    altered = content(folder)
    *parents, last = path.split(".")
    place = altered
    for part in parents:
        place = place[part]
    place[last] = value
    (folder / "study.json").write_text(json.dumps(altered))
    code, out, err = command("study", "status", "hostile")
    assert code == expected, (out, err)
    assert (out + err).replace("\n", "").isprintable()
    assert err.count("\n") == (1 if code else 0)
    assert not any(line.startswith("nasaudit: done") for line in out.splitlines())


def test_code_that_a_study_names_is_not_run(folder: Path, command: Run) -> None:
    (folder.parent / "evil.py").write_text("open('ran', 'w').close()\ndef build(**_):\n    pass\n")
    altered = content(folder)
    altered["study"]["architectures"] = [{"name": "evil", "model": "evil.py:build"}]
    (folder / "study.json").write_text(json.dumps(altered))
    code, out, err = command("study", "status", "hostile")
    assert code == 0, err
    assert "missing" in out
    assert not (folder.parent / "ran").exists()


RECORDS: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a text elsewhere": lambda path: path.symlink_to("/etc/passwd"),
    "nothing": Path.touch,
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe"),
    "half": lambda path: path.write_text('{"digest": "'),
    "a tower": lambda path: path.write_text("[" * 200_000),
    "a list": lambda path: path.write_text("[]"),
    "pickled": lambda path: path.write_bytes(pickle.dumps({"digest": "0"})),
    "a record of another task": lambda path: path.write_text(json.dumps({**RECORD, "digest": "0" * 20})),
    "a record with an artefact elsewhere": lambda path: path.write_text(
        json.dumps({**RECORD, "digest": path.parent.name, "artefacts": {"a": ARTEFACT}})
    ),
    "a value that is NaN": lambda path: path.write_text(
        json.dumps({**RECORD, "digest": path.parent.name, "seconds": float("nan"), "measurements": 7})
    ),
}
RECORD = {
    "kind": "train", "label": "\x1b[31m", "task": {}, "state": "ok", "seconds": 1.0, "finished": "", "versions": {},
}  # fmt: skip
ARTEFACT = {"file": "../../../../../etc/passwd", "sha256": "0", "bytes": 1}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", RECORDS)
def test_records_of_another_kind_count_as_absent(kind: str, folder: Path, command: Run) -> None:
    made = StudyFolder(folder)
    store = Store(made.store)
    with store.writing():
        pass
    tasks = plan(StudySpec.parse(SMALL), folder.parent).tasks
    for task in tasks:
        store.path(task.digest()).mkdir(parents=True)
        RECORDS[kind](store.path(task.digest()) / "record.json")
    code, out, err = command("study", "status", "hostile")
    assert code == 0, err
    assert f"{len(tasks)} missing of {len(tasks)} tasks" in out
    assert (out + err).replace("\n", "").isprintable()
    assert "root:" not in out + err


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "kind", ["a pipe", "a folder", "a device", "a link to itself", "half", "a tower", "a list"]
)
def test_a_store_without_its_format_is_refused_in_one_sentence(kind: str, folder: Path, command: Run) -> None:
    store = Store(StudyFolder(folder).store)
    with store.writing():
        pass
    (store.folder / "records").mkdir(exist_ok=True)
    (store.folder / "format.json").unlink(missing_ok=True)
    RECORDS[kind](store.folder / "format.json")
    code, out, err = command("study", "status", "hostile")
    assert (code, out) == (3, "")
    assert err.count("\n") == 1
