"""What leaves a study for other programs, on one that is really run: images, weights, cells, trackers."""

import io
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from nasaudit import api
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.cli import main
from nasaudit.errors import InputError, SpecError, UnknownNameError
from nasaudit.report import trackers
from nasaudit.report.trained import find_model
from nasaudit.results.opened import OpenedStudy
from nasaudit.running.options import RunOptions
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.tasks import WeightsFile
from nasaudit.training import checkpoint

STUDY = StudySpec.parse(
    {
        "name": "leaving",
        "architectures": ["resnet"],
        "mitigation": {"remedies": ["label_smoothing"]},
        "data": {"name": "digits", "train_images": 200},
        "seeds": [0, 3],
        "attacks": [
            {"name": "pgd", "epsilons": ["8/255", "32/255"], "steps": 3, "images": 40},
            {"name": "label_flip", "fractions": [0, 0.4]},
            {"name": "loss_threshold"},
        ],
        "analyses": ["topology"],
        "training": {"epochs": 1, "batch_size": 32},
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("leaving")
    api.run_study(STUDY, place, RunOptions(executor="serial"))
    return place


@pytest.fixture(scope="module")
def results(folder):
    return api.load_audit(folder).results


def call(monkeypatch, capsys, *words: object) -> str:
    monkeypatch.setattr(sys, "argv", ["nasaudit", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr()
    assert not end.value.code, told.err
    return told.out


@pytest.fixture(scope="module")
def images(folder):
    from nasaudit.results.image_table import image_table

    return image_table(OpenedStudy.of(folder))


def test_the_rows_of_the_study_are_means_over_its_images(results, images):
    for row in results.rows:
        mine = images[
            (images.architecture == row.architecture)
            & (images.seed == row.seed)
            & (images.attack == row.attack)
        ]
        if (row.family, row.metric) == ("training", "clean_accuracy") and row.seed != "all":
            assert mine.correct.mean() == pytest.approx(row.value)
            assert len(mine) == row.n
        if row.metric == "asr" and row.setting.get("epsilon") == "32/255" and row.seed != "all":
            chosen = mine[mine.correct] if row.setting["images"] == "correct" else mine
            if row.setting["images"] != "common":
                assert chosen.success.mean() == pytest.approx(row.value)
        if row.metric == "cad" and row.setting.get("fraction") == "0.4" and row.seed != "all":
            assert set(mine.setting) == {"fraction=0.4"}
            clean = images[images.family == "training"]
            clean = clean[(clean.architecture == row.architecture) & (clean.seed == row.seed)]
            assert clean.correct.mean() - mine.correct.mean() == pytest.approx(row.value)
        if row.metric == "auc" and row.seed != "all":
            members, others = (mine.score[mine.member == is_member].to_numpy() for is_member in (True, False))
            ranks = (members[:, None] > others).mean() + (members[:, None] == others).mean() / 2
            assert ranks == pytest.approx(row.value)


def test_labels_are_those_of_the_data_set(images):
    from sklearn.datasets import load_digits

    assert (load_digits().target[images["index"]] == images.label).all()


def test_the_command_writes_the_images(folder, images, monkeypatch, capsys, tmp_path):
    read = pd.read_csv(io.StringIO(call(monkeypatch, capsys, "export", folder, "--images", "--csv")))
    assert list(read.columns) == list(images.columns)
    assert len(read) == len(images)
    pytest.importorskip("pyarrow")
    call(monkeypatch, capsys, "export", folder, "--images", "--parquet", "--out", tmp_path / "images.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "images.parquet"), images)


@pytest.mark.parametrize("name", ["resnet", "ResNet + label smoothing"])
def test_weights_are_audited_as_they_were(folder, results, name, monkeypatch, capsys, tmp_path):
    path = tmp_path / "net.safetensors"
    told = call(monkeypatch, capsys, "export", folder, "--weights", name, "--seed", 3, "--out", path)
    words = told.strip().removeprefix("to audit it: ").split()
    assert words[:3] == ["nasaudit", "audit", "resnet"]
    study = OpenedStudy.of(folder)
    exact = find_model(results, study, name, 3)
    spec = resolve(ArchChoice(name="resnet"), "mini", 10, exact.spec.input_shape)
    given, own = (
        checkpoint.load_given(WeightsFile.of(str(path)), build(spec)),
        checkpoint.load(study.store.path(exact.task.digest()) / "weights.safetensors"),
    )
    assert (exact.spec.name == "resnet") is (name == "resnet")
    assert given.spec == spec
    images = torch.rand(4, *spec.input_shape)
    assert torch.equal(given(images), own(images))
    options = dict(zip(words[3::2], words[4::2], strict=True))
    counted = [len(Path(options[option]).read_text().split()) for option in ("--train-index", "--test-index")]
    accuracy = results.select(metric="clean_accuracy", architecture=exact.spec.name, split="test", seed=3)[0]
    assert counted == [200, accuracy.n]
    out = tmp_path / "out"
    call(
        monkeypatch,
        capsys,
        *words[1:],
        "--attacks",
        "none",
        "--analyses",
        "none",
        "--out",
        out,
        "--executor",
        "serial",
    )
    again = api.load_audit(out).results.select(metric="clean_accuracy", split="test")[0]
    assert (again.value, again.n) == (accuracy.value, accuracy.n)


def test_cells_are_written_and_a_hand_made_network_has_none(folder, monkeypatch, capsys, tmp_path, results):
    with pytest.raises(InputError, match="has none"):
        find_model(results, OpenedStudy.of(folder), "resnet").write_genotype(tmp_path / "x.json")


def test_names_and_seeds_that_are_not_there(folder, results):
    study = OpenedStudy.of(folder)
    with pytest.raises(UnknownNameError, match="resnet"):
        find_model(results, study, "resnte")
    with pytest.raises(SpecError, match="one of 0, 3"):
        find_model(results, study, "resnet", 7)


def test_mlflow_has_each_figure_with_its_interval(folder, results, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    runs = trackers.to_mlflow(results, folder, str(tmp_path / "runs"))
    assert len(runs) == 2
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "runs").as_uri())
    run = client.get_run(runs[0])
    row = results.select(metric="clean_accuracy", architecture="resnet", split="test", seed="all")[0]
    name = trackers.metric_name(row)
    assert run.data.metrics[f"{name}/value"] == pytest.approx(row.value)
    assert (run.data.metrics[f"{name}/low"], run.data.metrics[f"{name}/high"]) == pytest.approx(
        (row.low, row.high)
    )
    assert run.data.metrics[f"{name}/n"] == row.n
    assert run.data.params["architecture"] == "resnet"
    assert {file.path for file in client.list_artifacts(runs[0])} == set(trackers.FILES)
    assert run.info.status == "FINISHED"


def test_wandb_is_written_offline(folder, results, tmp_path):
    pytest.importorskip("wandb")
    folders = trackers.to_wandb(results, folder, tmp_path)
    assert len(folders) == 2
    assert all(list(place.glob("*.wandb")) for place in folders)


@pytest.mark.parametrize("library", ["mlflow", "wandb"])
def test_without_the_library_the_error_says_what_to_install(folder, results, tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    send = {"mlflow": trackers.to_mlflow, "wandb": trackers.to_wandb}[library]
    with pytest.raises(InputError, match=rf"nasaudit\[{library}\]"):
        send(results, folder, tmp_path)


def test_names_of_metrics_tell_rows_apart(results):
    for architecture in {row.architecture for row in results.rows}:
        rows = [row for row in results.rows if row.architecture == architecture and row.seed == "all"]
        names = [trackers.metric_name(row) for row in rows]
        assert len(set(names)) == len(names) > 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "expected one of"),
        (("--csv", "--weights", "resnet"), "expected one of"),
        (("--images", "--latex"), "--images is a table"),
        (("--weights", "resnet"), "--out FILE"),
    ],
)
def test_what_does_not_go_together_is_refused(folder, monkeypatch, capsys, words, message):
    monkeypatch.setattr(sys, "argv", ["nasaudit", "export", str(folder), *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert message in capsys.readouterr().err
