"""Files of pictures in a stranger's folder: shown, or named in a sentence on the page; nothing else is read."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasaudit.errors import InputError
from nasaudit.report.evidence import Evidence
from nasaudit.report.images import MOST_BYTES, Images, Wanted
from nasaudit.report.sections import examples
from nasaudit.results.schema import Examples, StudyResults

WANTED = Wanted("adversarial", ("prediction", "epsilon"))
TRIGGER = Wanted("adversarial", ("prediction",), ("target",), trigger=True)
CLEAN = np.full((2, 3, 8, 8), 90, np.uint8)
GOOD: dict[str, Any] = {
    "clean": CLEAN, "adversarial": (CLEAN / 255).astype(np.float32), "index": [7, 8], "label": [3, 3],
    "prediction": [5, 5], "epsilon": [0.1, 0.2], "target": np.array(3), "mask": np.ones((1, 8, 8), np.float32),
    "pattern": np.ones((3, 8, 8), np.float32), "opacity": np.array(0.5),
}  # fmt: skip
NAN = np.full(CLEAN.shape, np.nan, np.float32)

# What is another array than an attack writes.
OTHERWISE: dict[str, Any] = {
    "clean of one number": {"clean": np.array(1)},
    "clean of no channel": {"clean": CLEAN[:, :0]},
    "clean of two channels": {"clean": CLEAN[:, :2], "adversarial": CLEAN[:, :2]},
    "clean without sides": {"clean": CLEAN[..., :0], "adversarial": CLEAN[..., :0]},
    "clean of floats": {"clean": CLEAN.astype(np.float32)},
    "clean of texts": {"clean": np.full(CLEAN.shape, "x")},
    "clean of complex numbers": {"clean": CLEAN.astype(complex)},
    "sides too long": {"clean": np.zeros((1, 1, 1, 2000), np.uint8)},
    "fewer adversarial": {"adversarial": GOOD["adversarial"][:1]},
    "adversarial of integers": {"adversarial": CLEAN.astype(np.int64)},
    "adversarial that is NaN": {"adversarial": NAN},
    "fewer labels": {"label": [3]},
    "labels of another shape": {"label": [[3], [3]]},
    "labels that are NaN": {"label": [np.nan, 1]},
    "labels of dates": {"label": np.array(["2026-01-01"] * 2, "datetime64[D]")},
    "infinite epsilons": {"epsilon": [np.inf, 0.1]},
    "no predictions": {"prediction": None},
    "several targets": {"target": [1, 2]},
    "a mask of another size": {"mask": np.ones((1, 4, 4), np.float32)},
    "a pattern of other channels": {"pattern": np.ones((2, 8, 8), np.float32)},
    "a mask without opacity": {"opacity": None},
    "opacity that is NaN": {"opacity": np.array(np.nan)},
}


def save(path: Path, **changes: Any) -> None:
    arrays = {name: array for name, array in {**GOOD, **changes}.items() if array is not None}
    np.savez(path, **arrays)


def test_what_an_attack_writes_is_read(tmp_path: Path) -> None:
    save(tmp_path / "a.npz")
    for wanted in (WANTED, TRIGGER):
        images = Images.read(tmp_path / "a.npz", tmp_path, wanted, ["a"] * 10)
        assert images.class_name("label", 0) == "a"
    save(tmp_path / "b.npz", mask=None, pattern=None, opacity=None, clean=CLEAN[:0], adversarial=CLEAN[:0],
         label=[], index=[], prediction=np.zeros(0, int))  # fmt: skip


@pytest.mark.parametrize("case", OTHERWISE)
def test_other_arrays_are_refused_by_name(case: str, tmp_path: Path) -> None:
    save(tmp_path / "a.npz", **OTHERWISE[case])
    wanted = TRIGGER if {"target", "mask", "pattern", "opacity"} & set(OTHERWISE[case]) else WANTED
    with pytest.raises(InputError, match="expected") as caught:
        Images.read(tmp_path / "a.npz", tmp_path, wanted, ["a"])
    assert "\n" not in str(caught.value)


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clean.npy", bytes(MOST_BYTES + 1))


def _objects(path: Path) -> None:
    np.savez(path, clean=np.array([{}, {}]))


def _truncated(path: Path) -> None:
    save(path)
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(path: Path) -> None:
    save(path)
    content = bytearray(path.read_bytes())
    content[300] ^= 255
    path.write_bytes(bytes(content))


def _array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, CLEAN)


KINDS: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a text elsewhere": lambda path: path.symlink_to("/etc/passwd"),
    "pictures elsewhere": lambda path: path.symlink_to(path.parents[2] / "secret.npz"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "nothing": Path.touch,
    "pickled": lambda path: path.write_bytes(pickle.dumps(GOOD)),
    "pickled objects": _objects,
    "truncated": _truncated,
    "a flipped byte": _flipped,
    "a bomb": _bomb,
    "a single array": _array,
    "an archive of nothing": lambda path: zipfile.ZipFile(path, "w").close(),
    "too large": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), MOST_BYTES + 1),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_named_in_the_place_of_the_pictures(
    kind: str, tmp_path: Path, pgd_study: Callable[..., StudyResults]
) -> None:
    save(tmp_path / "secret.npz")
    folder = tmp_path / "study"
    (folder / "examples").mkdir(parents=True)
    KINDS[kind](folder / "examples" / "a.npz")
    entry = Examples(architecture="darts", seed=0, attack="pgd", file="examples/a.npz")
    section = examples.section(Evidence(pgd_study().model_copy(update={"examples": [entry]}), folder))
    assert section is not None
    _, strip = section.parts
    assert strip.pictures == ()
    assert strip.missing.startswith("The file examples/a.npz ")
    assert str(tmp_path) not in strip.missing
    assert len(strip.missing) < 2_000


def test_a_link_for_the_folder_of_the_examples_leads_nowhere(
    tmp_path: Path, pgd_study: Callable[..., StudyResults]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    save(tmp_path / "elsewhere" / "a.npz")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "examples").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out of it"):
        Images.read(tmp_path / "study" / "examples" / "a.npz", tmp_path / "study", WANTED, [])


def test_a_link_in_the_place_of_the_report_is_replaced(
    tmp_path: Path, pgd_study: Callable[..., StudyResults], command: Callable[..., tuple[Any, str, str]]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "results.json").write_text(pgd_study().model_dump_json(), encoding="utf-8")
    (folder / "report.html").symlink_to(tmp_path / "mine.txt")
    (folder / "png").mkdir()
    (folder / "png" / "evasion-pgd-linf-untargeted.png").symlink_to(tmp_path / "mine.txt")
    code, _, err = command("report", folder, "--png", folder / "png")
    assert (code, err) == (0, "")
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not (folder / "report.html").is_symlink()
