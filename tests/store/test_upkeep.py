"""`store verify` finds what is damaged and what nobody made; `store gc` removes what no study needs, and no more."""

import json
import shutil
from pathlib import Path

import pytest

STUDY = """
architectures: [{architectures}]
data: {{name: digits, train_images: 100}}
seeds: [0]
attacks: [{{name: fgsm, images: 20}}]
training: {{epochs: 1}}
analyses: []
"""
RUN = ("--executor", "serial", "--store", "shared", "--quiet")


def run_study(command, name, architectures):
    Path(f"{name}.yaml").write_text(STUDY.format(architectures=architectures))
    code, _, err = command("study", "run", f"{name}.yaml", "--out", name, *RUN)
    assert code == 0, err


@pytest.fixture(scope="module")
def two_studies(tmp_path_factory):
    """A folder with two studies of vgg that share a store; one of them has resnet as well."""
    return tmp_path_factory.mktemp("studies")


@pytest.fixture
def studies(two_studies, command, monkeypatch):
    made = two_studies / "made"
    if not made.exists():
        run_study(command, "one", "vgg")
        run_study(command, "two", "vgg, resnet")
        shutil.copytree(Path.cwd(), made)
    else:
        shutil.copytree(made, Path.cwd(), dirs_exist_ok=True)
    for name in ("one", "two"):  # which know the store by its full name
        path = Path(name, "study.json")
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "store": str(Path("shared").absolute())}))
    return command


def records():
    return {path.parent.name for path in Path("shared/records").glob("??/*/record.json")}


def test_a_good_store_has_no_faults(studies):
    code, out, _ = studies("store", "verify", "shared")
    assert code == 0
    assert out.splitlines() == [f"{Path('shared').absolute()}: {len(records())} records, 0 faults"]
    assert studies("store", "verify", "one")[:2] == (code, out), "a study's folder names its store"


def test_every_kind_of_fault_is_named_and_nothing_is_changed(studies):
    folders = sorted(path.parent for path in Path("shared/records").glob("??/*/record.json"))
    altered = next(path for path in folders if (path / "weights.safetensors").exists())
    content = (altered / "weights.safetensors").read_bytes()
    (altered / "weights.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    cut = next(path for path in folders if path != altered)
    (cut / "record.json").write_text("{")
    owned = next(path for path in folders if path not in (altered, cut))
    (owned / "notes.md").write_text("mine")
    Path("shared/records/readme").write_text("mine")
    Path("shared/records/00/empty").mkdir(parents=True)
    before = sorted(Path("shared").rglob("*"))
    code, out, _ = studies("store", "verify", "shared", "--json")
    assert code == 1
    faults = {Path(fault["path"]).name: fault["what"] for fault in json.loads(out)["faults"]}
    assert faults.keys() == {altered.name, cut.name, "notes.md", "readme", "empty"}
    assert "has another content in weights.safetensors" in faults[altered.name]
    assert "is damaged" in faults[cut.name]
    assert sorted(Path("shared").rglob("*")) == before


def test_what_no_kept_study_needs_is_said_and_then_removed(studies):
    code, out, _ = studies("store", "gc", "shared", "--keep", "one")
    assert code == 0
    assert "would be removed; --remove does it" in out
    labels = {record["label"] for record in json.loads(studies("store", "gc", "one", "--json")[1])["records"]}
    assert labels, "resnet is of the other study alone"
    assert all("resnet" in label for label in labels)
    before = records()
    code, out, _ = studies("store", "gc", "one", "--remove", "--json")
    gone = {record["digest"] for record in json.loads(out)["records"]}
    assert gone
    assert records() == before - gone
    # The study that was kept has nothing to do, the other has.
    assert studies("study", "run", "one.yaml", "--out", "one", *RUN, "--mode", "read-only")[0] == 0
    assert studies("study", "run", "two.yaml", "--out", "two", *RUN, "--mode", "read-only")[0] == 3


def test_both_studies_together_need_everything(studies):
    out = studies("store", "gc", "shared", "--keep", "one", "--keep", "two")[1]
    assert ": 0 records, 0.0 MB" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("verify", "nowhere"), 3, "holds no records and no study"),
        (("gc", "shared"), 2, "expected --keep STUDY"),
        (("gc", "shared", "--keep", "shared"), 3, "study.json"),
    ],
)
def test_bad_input_is_one_sentence(studies, words, code, message):
    got, _, err = studies("store", *words)
    assert (got, message in err) == (code, True), err
