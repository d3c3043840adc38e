"""An audit of weights that were trained elsewhere never says more of them than it knows."""

import csv
import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits

NET = """
from torch import nn

def build(classes, input_shape):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, classes))
"""
MEMBERS = 100


@pytest.fixture(scope="module")
def overfit(tmp_path_factory):
    """A folder with a net that knows 100 of the digits by heart, and their index."""
    folder = tmp_path_factory.mktemp("overfit")
    (folder / "net.py").write_text(NET)
    images = torch.from_numpy(load_digits().images.astype(np.float32) / 16)
    labels = torch.from_numpy(load_digits().target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:MEMBERS]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)
        )
        optimizer = torch.optim.Adam(net.parameters(), 0.01)
        for _ in range(200):
            loss = torch.nn.functional.cross_entropy(net(images[order]), labels[order])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    save_file(
        {name: tensor.contiguous() for name, tensor in net.state_dict().items()}, folder / "w.safetensors"
    )
    (folder / "train.txt").write_text("\n".join(str(int(position)) for position in order))
    return folder


def audit(command, folder, *words):
    return command(
        "audit", folder / "net.py:build", "--weights", folder / "w.safetensors", "--data", "digits",
        "--analyses", "none", "--workers", "1", "--executor", "serial", "--out", "out", *words,
    )  # fmt: skip


def rows(tmp_path):
    return list(csv.DictReader((tmp_path / "out/results.csv").read_text().splitlines()))


def test_members_are_found_where_the_split_is_known(command, tmp_path, overfit):
    """By a split of our own most 'members' were none, and the AUC was near a half: the false answer."""
    code, _, err = audit(
        command, overfit, "--train-index", overfit / "train.txt", "--attacks", "gap,loss_threshold"
    )
    assert code == 0, err
    found = {
        (row["attack"], row["metric"], row["setting"]): row for row in rows(tmp_path) if row["seed"] == "0"
    }
    (auc,) = [
        row for (attack, metric, _), row in found.items() if (attack, metric) == ("loss_threshold", "auc")
    ]
    assert float(auc["low"]) > 0.55
    assert int(auc["n"]) == 2 * MEMBERS
    train = found["", "train_accuracy", "split=train"]
    assert (train["value"], train["n"]) == ("1.0", str(MEMBERS))
    page = (tmp_path / "out/report.html").read_text()
    assert "by which recipe they were trained is not known" in page
    assert "epochs: 30" not in page
    assert "may have been trained on" not in page
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert {each["family"]: each["how"] for each in results["untested"]}["poisoning"].startswith(
        "give the recipe"
    )
    assert not [flag for flag in results["flags"] if flag["kind"] == "unknown_split"]


def test_without_the_split_nothing_is_said_of_members_and_every_accuracy_is_doubted(
    command, tmp_path, overfit
):
    for attack in ("loss_threshold", "membership", "knockoff", "badnets", "label_flip"):
        code, _, err = audit(command, overfit, "--attacks", attack)
        assert code == 2
        assert "--train-index FILE" in err
    code, out, err = audit(command, overfit, "--attacks", "fgsm")
    assert code == 0, err
    assert "may have been trained on" in out
    assert {row["metric"] for row in rows(tmp_path) if row["family"] == "training"} == {"clean_accuracy"}
    page = (tmp_path / "out/report.html").read_text()
    assert "which it may have been trained on" in page
    assert page.count('class="level not-tested"') == 4


def test_the_survey_of_weights_leaves_out_what_would_need_the_recipe(command, tmp_path, overfit):
    code, _, err = audit(command, overfit, "--train-index", overfit / "train.txt", "--attacks", "survey")
    assert code == 0, err
    families = {row["family"] for row in rows(tmp_path)}
    assert families == {"training", "evasion", "extraction", "backdoor", "membership"}
    page = (tmp_path / "out/report.html").read_text()
    assert "The recipe by which attackers trained models" in page


def test_no_path_of_this_machine_leaves_it_and_every_hash_stands_at_the_head(command, tmp_path, overfit):
    code, _, err = audit(command, overfit, "--train-index", overfit / "train.txt", "--attacks", "fgsm")
    assert code == 0, err
    page, results = ((tmp_path / "out" / name).read_text() for name in ("report.html", "results.json"))
    for text in (page, results):
        assert str(overfit) not in text
        assert str(tmp_path) not in text
    provenance = json.loads(results)["provenance"]
    assert len(provenance["indices"]["train_index"]) == 64
    pixels, labels = load_digits(return_X_y=True)
    images = np.rint(pixels * (255 / 16)).astype(np.uint8)
    assert (
        provenance["data_sha256"]
        == hashlib.sha256(images.tobytes() + labels.astype(np.int64).tobytes()).hexdigest()
    )
    ((name, digests),) = provenance["weights"].items()
    assert (name, len(digests["0"])) == ("net.py:build", 64)
    head = page.partition("<nav")[0]
    for told in (
        "SHA-256 of the data",
        "of the weights",
        "of the code",
        "torch",
        "nasaudit audit",
        digests["0"],
    ):
        assert told in head


def test_a_model_at_chance_is_told_to_look_at_its_wiring_first(command, tmp_path, overfit):
    weights = {"1.weight": torch.zeros(256, 64), "1.bias": torch.zeros(256)}
    save_file(
        {**weights, "3.weight": torch.zeros(10, 256), "3.bias": torch.zeros(10)},
        tmp_path / "zero.safetensors",
    )
    code, out, err = command(
        "audit", overfit / "net.py:build", "--weights", "zero.safetensors", "--data", "digits", "--analyses", "none",
        "--attacks", "none", "--executor", "serial", "--out", "zero",
    )  # fmt: skip
    assert code == 0, err
    assert "--normalise" in out
    assert "train it longer" not in out


def test_an_index_is_of_no_use_without_weights(command, overfit):
    code, _, err = command("audit", "resnet", "--data", "digits", "--train-index", overfit / "train.txt")
    assert code == 2
    assert "no architecture comes with weights" in err
