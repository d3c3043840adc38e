"""A study of a stranger: whatever its results.json holds, a command ends in a result or in one sentence."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.hostile.mutate import mutated
from tests.hostile.studies import rich_study, write_study

Run = Callable[..., tuple[Any, str, str]]
POLICY = """
failed_tasks: allow
rules:
- {metric: asr, attack: pgd, setting: {epsilon: 8/255, images: all}, at_most: 0.5, architectures: darts}
- {family: evasion, metric: headline, not_worse_than_baseline: true}
- {family: membership, metric: headline, at_most: 0.6}
"""
MUTATIONS = 60
QUICK = 20  # of these run every time

# Where something else stands in results.json, and what.
ALTERED: dict[str, tuple[str, Any]] = {
    "no such architecture in a row": ("rows.0.architecture", "absent"),
    "a value that is NaN": ("rows.0.value", float("nan")),
    "an infinite interval": ("rows.0.high", float("inf")),
    "a value of 1e308": ("rows.0.value", 1e308),
    "a value that is no number": ("rows.0.value", [1]),
    "a value that is null": ("rows.0.low", None),
    "an accuracy of 7": ("rows.@clean_accuracy.value", 7),
    "a share below 0": ("rows.@asr.low", -0.5),
    "a negative n": ("rows.0.n", -1),
    "an n of a hundred digits": ("rows.0.n", 10**100),
    "an n of ten thousand digits": ("rows.0.n", "@digits"),
    "no epsilon": ("rows.@asr.setting", {"norm": "linf", "goal": "untargeted", "images": "all"}),
    "an epsilon of x/0": ("rows.@asr.setting.epsilon", "x/0"),
    "an epsilon of 8/0": ("rows.@asr.setting.epsilon", "8/0"),
    "an epsilon of 1e999": ("rows.@asr.setting.epsilon", "1e999"),
    "a fraction that is no number": ("rows.@cad.setting.fraction", "much"),
    "a fraction that is NaN": ("rows.@cad.setting.fraction", "nan"),
    "a budget with a point": ("rows.@agreement.setting.budget", "1.5"),
    "a budget of other digits": ("rows.@agreement.setting.budget", "\u0663"),
    "a share that is no number": ("rows.@early_accuracy.setting.share", "half"),
    "a setting that is a list": ("rows.0.setting", ["epsilon"]),
    "a setting of numbers": ("rows.@asr.setting.epsilon", 8),
    "a bound that there is not": ("rows.0.bound", "sideways"),
    "a seed below 0": ("rows.@asr.seed", -1),
    "rows that are none": ("rows", {}),
    "no rows": ("rows", []),
    "a ragged history": ("histories.0.loss", [1.0]),
    "a history without its steps": ("histories.0.step", []),
    "a history that goes back": ("histories.0.step.1", 10**6),
    "a loss that is NaN": ("histories.0.loss.0", float("nan")),
    "an accuracy of 2": ("histories.0.accuracy.0", 2),
    "steps of no images": ("histories.0.images_per_step", 0),
    "a ragged landscape": ("landscapes.0.z.0", [1.0]),
    "a landscape without a row": ("landscapes.0.z", []),
    "a landscape without places": ("landscapes.0.x", []),
    "a landscape on one line": ("landscapes.0.y", [0.0] * 6),
    "a loss of 1e308": ("landscapes.0.z.0.0", 1e308),
    "an infinite loss": ("landscapes.0.z.0.0", -float("inf")),
    "a curve without points": ("curves.0.x", []),
    "a ragged curve": ("curves.0.y", [0.5]),
    "a curve of no architecture": ("curves.0.architecture", "absent"),
    "examples at an absolute path": ("examples.0.file", "/etc/hostname"),
    "examples above the folder": ("examples.0.file", "examples/../../secret.npz"),
    "examples on another drive": ("examples.0.file", "C:secret.npz"),
    "examples of another system": ("examples.0.file", "..\\secret.npz"),
    "examples with a NUL": ("examples.0.file", "examples/\0.npz"),
    "examples without a name": ("examples.0.file", ""),
    "pictures at an absolute path": ("pictures.0.file", "/etc/hostname"),
    "a headline of no rows": ("headlines.0.positions", {}),
    "a headline of rows that are not there": ("headlines.0.positions.darts", 10**6),
    "a headline of the last row": ("headlines.0.positions.darts", -1),
    "a headline of another row": ("headlines.0.positions.darts", 0),
    "a headline that counts no models": ("headlines.0.models", {}),
    "a family that there is not": ("headlines.0.family", "alchemy"),
    "a family twice": ("standings.0.family", "membership"),
    "a standing of one": ("standings.0.ranked", ["darts"]),
    "a standing of strangers": ("standings.0.ranked", ["darts", "absent"]),
    "a standing that knows no pairs": ("standings.0.easier_than", {}),
    "an adjustment of nothing": ("adjustments.0.values", []),
    "a p of 2": ("claims.0.p", 2),
    "a claim decided by nothing": ("claims.0.estimate", None),
    "a variable of a stranger": ("variables.0.values", {"absent": 1.0}),
    "a link of claims that are not there": ("links.0.claims", [99]),
    "a remedy of a stranger": ("remedies.0.variant", "absent"),
    "a front of remedies that are not there": ("fronts.0.remedies", [99]),
    "a front of a family that there is not": ("fronts.0.family", "alchemy"),
    "a front of nothing that was measured": ("remedies.0.effects", []),
    "an effect of 1e308": ("remedies.0.effects.0.difference.value", 1e308),
    "no architectures": ("architectures", []),
    "an architecture twice": ("architectures.1.name", "darts"),
    "another group": ("architectures.0.group", "royal"),
    "a study that is none": ("study", None),
    "an attack that there is not": ("study.attacks.0.name", "alchemy"),
    "a network of 10^30 classes": ("architectures.0.classes", -3),
    "a field that there is not": ("surprise", 1),
    "another format": ("format", 10**9),
    "no format": ("format", None),
    "seconds that are infinite": ("seconds", {"train": float("inf")}),
    "names of classes that are numbers": ("class_names", [1, 2]),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("original")
    return folder, write_study(rich_study(folder), folder)


@pytest.fixture
def folder(original: tuple[Path, dict], tmp_path: Path) -> Path:
    """An empty folder beside `good`, the study as it was, and `policy.yaml`."""
    (tmp_path / "good").mkdir()
    shutil.copy(original[0] / "results.json", tmp_path / "good" / "results.json")
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "hostile").mkdir()
    return tmp_path / "hostile"


COMMANDS = (
    ("gate", "hostile", "--policy", "policy.yaml", "--baseline", "good"),
    ("gate", "good", "--policy", "policy.yaml", "--baseline", "hostile"),
    ("compare", "good", "hostile"),
    ("report", "hostile"),
)


def put(content: Any, path: str, value: Any) -> None:
    """Set the value at a path; `@asr` is the first row with that metric."""
    *parents, last = path.split(".")
    for part in parents:
        if part.startswith("@"):
            content = next(row for row in content if row["metric"] == part[1:] and row["setting"])
        else:
            content = content[int(part) if isinstance(content, list) else part]
    content[int(last) if isinstance(content, list) else last] = value


def refused(run: Run, *words: str) -> str:
    """The one sentence that a command ends in."""
    code, out, err = run(*words)
    assert (code, out) == (3, "")
    assert err.startswith("nasaudit: ")
    assert err.count("\n") == 1
    assert len(err) < 2_000
    return err


def test_the_study_as_it_was_is_shown_and_judged(
    folder: Path, original: tuple[Path, dict], command: Run
) -> None:
    (folder / "results.json").write_text(json.dumps(original[1]))
    for words in COMMANDS:
        code, _, err = command(*words)
        assert (code in (0, 1), err) == (True, "")


@pytest.mark.parametrize("case", ALTERED)
def test_an_altered_value_is_refused_in_one_sentence(
    case: str, folder: Path, original: tuple[Path, dict], command: Run
) -> None:
    content = json.loads(json.dumps(original[1]))
    path, value = ALTERED[case]
    put(content, path, value)
    (folder / "results.json").write_text(json.dumps(content).replace('"@digits"', "9" * 10_000))
    for words in COMMANDS:
        assert "hostile/results.json" in refused(command, *words)
    assert sorted(entry.name for entry in folder.iterdir()) == ["results.json"]


@pytest.mark.parametrize(
    "begin",
    [pytest.param(k, marks=pytest.mark.slow) if k >= QUICK else k for k in range(0, MUTATIONS, 5)],
)
def test_random_damage_ends_in_a_result_or_one_sentence(
    begin: int, folder: Path, original: tuple[Path, dict], command: Run
) -> None:
    for seed in range(begin, begin + 5):
        content, _ = mutated(original[1], Random(seed))
        (folder / "results.json").write_text(json.dumps(content))
        for words in COMMANDS:
            code, out, err = command(*words)
            assert code in (0, 1, 2, 3)
            assert len(err) < 2_000
            assert (out + err).replace("\n", "").isprintable()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _text(content: str | bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content) and None


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


FILES: dict[str, Callable[[Path], Any]] = {
    "a pipe": _pipe,
    "a folder": Path.mkdir,
    "a device without end": _link("/dev/zero"),
    "a device without content": _link("/dev/null"),
    "a link to itself": _link("results.json"),
    "a file elsewhere": _link("/etc/passwd"),
    "nothing": _text(""),
    "not UTF-8": _text(b"\xff\xfe{}"),
    "half": _text('{"format": 3, "study": {'),
    "a list": _text("[1, 2]"),
    "a number": _text("1"),
    "null": _text("null"),
    "a key twice": _text('{"format": 3, "format": 3}'),
    "a tower": _text("[" * 200_000),
    "a tower of fields": _text('{"study": ' * 100_000),
    "a number of many digits": _text('{"format": ' + "9" * 100_000 + "}"),
    "NaN": _text('{"format": NaN}'),
    "pickled": _text(pickle.dumps({"format": 3})),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", FILES)
def test_files_of_other_kinds_are_refused_in_one_sentence(kind: str, folder: Path, command: Run) -> None:
    FILES[kind](folder / "results.json")
    for words in COMMANDS:
        assert "root:" not in refused(command, *words)
    (folder / "study.json").unlink(missing_ok=True)
    FILES[kind](folder / "study.json")
    assert "root:" not in refused(command, "study", "status", "hostile")


POLICIES: dict[str, Callable[[Path], Any]] = {
    "a pipe": _pipe,
    "a folder": Path.mkdir,
    "a device without end": _link("/dev/zero"),
    "a link to itself": _link("hostile.yaml"),
    "a file elsewhere": _link("/etc/passwd"),
    "nothing": _text(""),
    "aliases of aliases": _text(
        "a0: &a0 [x, x]\n"
        + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 60))
        + "rules: *a59\n"
    ),
    "an alias of itself": _text("rules: &a [*a]\n"),
    "a tower": _text("[" * 200_000),
    "a key twice": _text("rules: []\nrules: []\n"),
    "code": _text("rules: !!python/object/apply:os.system [id]\n"),
    "a limit that is NaN": _text("rules: [{metric: asr, at_most: .nan}]\n"),
    "a limit of x/0": _text("rules: [{metric: asr, at_most: 1/0}]\n"),
    "a name with a line break": _text('rules: [{metric: asr, at_most: 1, name: "a\\nb"}]\n'),
    "control characters": _text('rules: [{metric: "a\\e[31m", at_most: 1}]\n'),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", POLICIES)
def test_a_policy_of_another_kind_is_refused_in_one_sentence(kind: str, folder: Path, command: Run) -> None:
    POLICIES[kind](folder.parent / "hostile.yaml")
    code, out, err = command("gate", "good", "--policy", "hostile.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("nasaudit: ")
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()
    assert len(err) < 2_000
    assert "root:x" not in err or kind == "a file elsewhere"
