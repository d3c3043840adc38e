"""The command line as a script sees it: what it prints, what it writes, what it exits with."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import nasaudit
from nasaudit.results.schema import COLUMNS

GENOTYPE = """Genotype(
    normal=[('sep_conv_3x3', 0), ('skip_connect', 1)], normal_concat=[2],
    reduce=[('max_pool_3x3', 0), ('skip_connect', 1)], reduce_concat=[2],
)"""
# In this process: a worker's import of torch takes longer than what these do.
HERE = ("--executor", "serial")
SMALL_STUDY = """
name: smoke
architectures: [{architectures}]
data: {{name: digits, train_images: 200}}
analyses: [topology, convergence, gradients]
seeds: [0]
attacks: [{{name: pgd, images: 40, steps: 5, epsilons: [2/255, 16/255]}}]
training: {{epochs: 2, optimizer: sgd, batch_size: 64, learning_rate: {learning_rate}, gradient_clip: {clip}}}
"""


def test_help_imports_no_torch_and_neither_does_planning():
    program = """
import sys, contextlib, io
sys.argv = ["nasaudit", "--help"]
from nasaudit.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    try: main()
    except SystemExit: pass
heavy = {"torch", "numpy", "pandas", "altair", "scipy"} & set(sys.modules)
assert not heavy, heavy
from pathlib import Path
from nasaudit.planning.requests import make_study
from nasaudit.planning.plan import plan
plan(make_study(["darts", "resnet"], "mnist5k", "mini", "sound", ["evasion"], 2), Path("data"))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_version_and_bare_call(command):
    assert command("--version")[:2] == (0, "0.1.0\n")
    assert "audit" in command()[1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["audit", "dartz"], "unknown architecture 'dartz'; did you mean darts"),
        (["audit", "darts", "--data", "minst5k"], "unknown data set 'minst5k'; did you mean mnist5k"),
        (["audit", "darts", "--attacks", "pdg"], "did you mean pgd"),
        (["audit", "darts", "--analyses", "topolgy"], "did you mean topology"),
        (["study", "run", "quick", "--set", "seeds"], "FIELD=VALUE"),
        (["study", "run", "quick", "--set", "attacks.9.steps=3"], "the path of a field"),
        (["study", "run", "quick", "--set", "recipe.epochs=3"], "recipe"),
        (["study", "run", "quick", "--set", "training.epochs=x"], "training.epochs"),
        (["audit", "darts", "--sede", "3"], "--seeds"),
        (["audit", "darts", "--scale", "huge"], "mini"),
        (["audit", "darts", "DARTS"], "each entry once"),
        (["audit", "darts", "--data", "folder"], "folder:PATH"),
        (["audit", "darts", "--data", "folder:nowhere"], "nowhere"),
        (["audit", "darts", "--data", "npz:nowhere.npz"], "nowhere.npz"),
        (["audit", "darts", "--data", "cifar10"], "--download"),
        (["audit", "darts", "--seeds", "0"], "--seeds"),
        (["audit", "missing.json"], "missing.json"),
        (["audit"], "ARCH"),
        (["show", "no such thing"], "unknown architecture"),
        (["study", "run", "nothing.yaml"], "nothing.yaml"),
        (["study", "run", "no-such-recipe"], "no-such-recipe"),
        (["list", "dragons"], "architectures"),
        (["mitigate", "resnet"], "a rewiring needs a cell"),
        (["mitigate", "darts", "--remedies", "deeper"], "deepen"),
        (["mitigate", "darts", "--doses", "some"], "mitigate.doses: expected full, curve"),
        (["mitigate", "darts", "--replacements", "skip_connect"], "replacements"),
        (["mitigate", "darts", "--max-drop", "101"], "--max-drop"),
        (["mitigate", "darts", "--remedies", "rounded_answers", "--attacks", "pgd"], "extraction"),
    ],
)
def test_bad_input_is_one_message_and_exit_2(command, words, expected):
    code, out, err = command(*words)
    assert code == 2, err
    assert expected in out + err
    assert "Traceback" not in out + err
    assert not Path("audits").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("architectures: [darts]\nsedes: [1]", "sedes"),
        ("architectures: [darts]\nseeds: [-1]", "seeds[0]"),
        ("architectures: [darts]\nattacks: [{name: pgd, epsilons: [8]}]", "attacks[0].epsilons"),
        ("architectures: [darts]\nattacks: [{name: pgd, goal: targeted, target_class: 12}]", "target_class"),
        ("architectures: [darts]\ntraining: {learning_rate: -1}", "training.learning_rate"),
        ("architectures: [{name: mine, genotype: 'Genotype(normal=[1])'}]", "architectures[0].genotype"),
        ("architectures: [darts\n", "line"),
        ("- darts", "mapping"),
        ("architectures: !!python/object/apply:os.system ['true']", "study.yaml"),
    ],
)
def test_bad_yaml_names_the_field(command, text, expected):
    Path("study.yaml").write_text(text)
    code, out, err = command("study", "run", "study.yaml")
    assert code == 2, err
    assert expected in err
    assert "Traceback" not in out + err


def test_lists_and_show_are_json_for_programs(command):
    for what, least in (
        ("architectures", 18),
        ("attacks", 1),
        ("data", 7),
        ("searches", 0),
        ("analyses", 2),
        ("remedies", 9),
    ):
        entries = json.loads(command("list", what, "--json")[1])
        assert len(entries) >= least
        assert command("list", what)[0] == 0
    facts = json.loads(command("show", "P-DARTS", "--scale", "paper", "--json")[1])
    assert facts["parameters"] == 3433798
    normal = facts["topology"]["normal"]
    assert (normal["depth"], normal["width"], normal["skips"]) == (3, 3.0, 2)
    assert facts["topology"]["reduction"]["skips"] == 0
    assert facts["genotype"]["normal"]["concat"] == [2, 3, 4, 5]
    assert 9e6 <= json.loads(command("show", "resnet", "--json")[1])["flops"] <= 18e6


def test_a_genotype_file_is_an_architecture(command):
    Path("mine.txt").write_text(GENOTYPE)
    code, out, _ = command("show", "mine.txt", "--svg", "mine.svg")
    assert code == 0
    assert "mine (custom)" in out
    assert Path("mine.svg").read_text().startswith("<svg")
    assert command("show", "vgg", "--svg", "vgg.svg")[0] == 0
    assert "Stages of VGG" in Path("vgg.svg").read_text()


def test_a_study_ends_with_a_report_and_its_repetition_computes_nothing(command):
    Path("study.yaml").write_text(
        SMALL_STUDY.format(architectures="darts, resnet", learning_rate=0.05, clip=5)
    )
    code, out, err = command("study", "run", "study.yaml", "--out", "out", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert Path(said["report"]).read_text().startswith("<!doctype html>")
    rows = list(csv.DictReader(Path("out/results.csv").read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert {row["architecture"] for row in rows} == {"darts", "resnet"}
    assert {"training", "evasion", "topology", "convergence"} <= {row["family"] for row in rows}
    for row in rows:
        assert float(row["low"]) <= float(row["value"]) <= float(row["high"])
        assert int(row["n"]) >= 1

    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.is_file()}
    assert command("study", "run", "study.yaml", "--out", "out")[0] == 0
    after = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.is_file()}
    assert after == before

    status = json.loads(command("study", "status", "out", "--json")[1])
    assert status["counts"]["done"] == len(status["tasks"]) == 10
    code, out, err = command("report", "out", "--png", "figures", "--json")
    assert code == 0, err
    assert any(path.endswith(".png") for path in json.loads(out))

    other = command("audit", "darts", "--data", "digits", "--out", "out")
    assert other[0] == 3
    assert "another study" in other[2]


def test_a_failed_task_is_reported_and_the_others_go_on(command):
    Path("study.yaml").write_text(SMALL_STUDY.format(architectures="snas", learning_rate=1e30, clip="null"))
    code, out, err = command("study", "run", "study.yaml", "--out", "out", *HERE)
    assert code == 1
    assert "learning_rate" in err
    assert "report: out/report.html" in out
    results = json.loads(Path("out/results.json").read_text())
    assert results["failures"][0]["type"] == "NonFiniteError"
    assert any(row["family"] == "topology" for row in results["rows"])
    assert "NonFiniteError" in Path("out/report.html").read_text()


def test_a_trained_model_is_analysed_without_any_training(command):
    from safetensors.torch import save_file

    network = nasaudit.load_architecture("darts", input_shape=(1, 8, 8), seed=3)
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, "mine.safetensors"
    )
    words = ["analyze", "darts", "--weights", "mine.safetensors", "--data", "digits", "--out", "out"]
    code, out, err = command(*words, "--analyses", "topology,convergence", *HERE)
    assert code == 0, err
    assert "parameters" in out
    assert "report: out/report.html" in out
    rows = list(csv.DictReader(Path("out/results.csv").read_text().splitlines()))
    assert {row["family"] for row in rows} == {"training", "topology"}  # no history, so no convergence


def test_weights_that_cannot_be_used_are_refused_before_anything_runs(command):
    from safetensors.torch import save_file

    def said(*words):
        code, _, err = command("analyze", "darts", "--data", "digits", *words, *HERE)
        assert code == 2, err
        assert not Path("audits").exists()
        return err

    assert "nothing.pt" in said("--weights", "nothing.pt")
    save_file({"a": torch.zeros(2)}, "other.safetensors")
    assert "tensors do not fit" in said("--weights", "other.safetensors")
    torch.save(torch.nn.Linear(2, 2), "module.pt")
    assert "execute code" in said("--weights", "module.pt")
    Path("cut.safetensors").write_bytes(Path("other.safetensors").read_bytes()[:20])
    assert "cut.safetensors" in said("--weights", "cut.safetensors")
    assert "unknown analysis 'smothness'" in said("--weights", "other.safetensors", "--analyses", "smothness")


def test_weights_are_attacked_only_by_what_trains_no_other_model(command):
    Path("w.safetensors").write_bytes(b"")
    Path("study.yaml").write_text(
        "architectures: [{name: darts, weights: w.safetensors}]\ndata: digits\nseeds: 1\nattacks: [label_flip]"
    )
    code, _, err = command("study", "run", "study.yaml")
    assert code == 2
    assert "architectures[0].weights" in err
    assert "label_flip" in err
    assert "--train-index" in err


def test_the_plan_of_a_mitigation_is_json_and_trains_nothing(command, tmp_path):
    words = (
        "mitigate darts --plan --json --data digits --doses curve --replacements sep_conv_3x3,dil_conv_3x3"
    )
    code, out, err = command(*words.split())
    assert code == 0, err
    entries = json.loads(out)
    assert [entry["name"] for entry in entries if entry["dose"] == entry["most"]] == [
        "darts",
        "darts-i",
        "darts-ii",
        "darts-iii",
    ]
    assert {"name", "genotype", "topology", "parameters", "flops", "remedy", "dose"} <= entries[0].keys()
    depths = [
        entry["topology"]["normal"]["depth"] for entry in entries if entry["remedy"] in (None, "deepen")
    ]
    assert depths == sorted(depths)
    assert len(entries) == 1 + 3 + 2 + 3
    code, out, _ = command("mitigate", "darts", "--plan", "--data", "digits")
    assert code == 0
    assert "darts-i" in out
    assert not (tmp_path / "audits").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "resnet", "--data", "digits", "--out", "old"],
        ["study", "status", "old"],
        ["report", "old"],
        ["compare", "old", "old"],
    ],
)
def test_the_folder_of_an_earlier_version_is_refused_in_one_sentence(command, words):
    Path("old").mkdir()
    study = nasaudit.StudySpec.parse({"architectures": ["resnet"], "data": "digits"})
    content = {"format": 1, "digest": study.digest(), "study": study.model_dump(mode="json")}
    Path("old/study.json").write_text(json.dumps(content))
    Path("old/results.json").write_text('{"rows": []}')
    before = {path.name: path.read_bytes() for path in Path("old").iterdir()}
    code, _, errors = command(*words)
    assert code == 3
    assert "was written by an earlier version of nasaudit" in errors
    assert "run the study again in another folder, or remove this one first" in errors
    assert len(errors.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in Path("old").iterdir()} == before


def test_the_executor_is_chosen_on_the_command_line(command, tmp_path):
    code, _, errors = command("audit", "resnet", "--data", "digits", "--executor", "cluster")
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert "unknown executor 'cluster'; known: processes, serial" in errors


def test_a_grid_is_run_into_folders_of_its_own_and_shares_records(command, tmp_path):
    (tmp_path / "grid.yaml").write_text(
        "name: tiny\narchitectures: [darts]\nseeds: 1\nattacks: []\nanalyses: [topology]\ntraining: {epochs: 1}\n"
        "data: {name: digits, train_images: 200}\ngrid: {analyses: [[topology], [topology, convergence]]}\n"
    )
    out = tmp_path / "out"
    code, _, said = command("study", "run", "grid.yaml", "--out", str(out), *HERE, "--quiet")
    assert code == 0, said
    assert sorted(path.name for path in out.iterdir()) == ["store", "topology", "topology+convergence"]
    rows = [
        len((out / name / "results.csv").read_text().splitlines())
        for name in ("topology", "topology+convergence")
    ]
    assert rows[0] < rows[1]
    code, plans, _ = command("study", "plan", "grid.yaml", "--out", str(out), "--json")
    assert [plan["study"] for plan in json.loads(plans)] == ["tiny-topology", "tiny-topology+convergence"]
    assert all(kind["cached"] == kind["tasks"] for plan in json.loads(plans) for kind in plan["kinds"])
