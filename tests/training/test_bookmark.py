"""An interrupted training goes on to the weights that it would have had, bit for bit."""

import json
import logging

import pytest
import torch
from safetensors.torch import load_file

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.spec.data import DataSpec
from nasaudit.spec.remedies.defences import PgdTrainingSpec, PrivateSpec, TradesSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace
from nasaudit.testing.data import synthetic_split
from nasaudit.training.bookmark import Bookmark
from nasaudit.training.loop import fit
from nasaudit.training.work import train_network

PLAIN = TrainingSpec(epochs=4, batch_size=8, crop=1, precision="fp32")


def cell_network():
    # All of it draws: edges are dropped with a probability that grows, numbers with a constant one.
    spec = resolve(ArchChoice(name="darts", drop_path=0.3, dropout=0.2), "mini", 4, (1, 8, 8))
    return build(spec.model_copy(update={"init_channels": 2, "n_cells": 3}), 0)


class PulledPlugError(Exception):
    pass


def until(share):
    def progress(done, text=""):
        if done > share:
            raise PulledPlugError

    return progress


def weights(recipe, bookmark=None, progress=None, build_one=cell_network):
    network, more = build_one(), {} if progress is None else {"progress": progress}
    images, validation = (
        synthetic_split(24, 4, (1, 8, 8), seed=1),
        synthetic_split(20, 4, (1, 8, 8), seed=2),
    )
    selection = None if recipe.keep == "last" else validation
    history = fit(network, images, recipe, 7, selection, bookmark=bookmark, **more)
    return history, network.state_dict()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd", "learning_rate": 0.01, "schedule": "constant"},
        {"schedule": "one_cycle", "keep": "best_validation"},
        {"defences": (PgdTrainingSpec(steps=1),)},
        {"defences": (TradesSpec(steps=1), PrivateSpec(microbatch=4))},
    ],
    ids=["adamw, cosine", "sgd, constant", "one cycle, best epoch", "adversarial", "trades, private"],
)
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_the_weights_and_the_history_are_those_of_an_undisturbed_training(changes, share, tmp_path):
    recipe, path = PLAIN.model_copy(update=changes), tmp_path / "checkpoints" / "one"
    expected_history, expected = weights(recipe)
    with pytest.raises(PulledPlugError):
        weights(recipe, Bookmark(path, spacing=0), until(share))
    resumed = []
    torch.manual_seed(99)  # what was drawn globally in between is of no account
    history, found = weights(recipe, Bookmark(path, spacing=0), lambda done, text="": resumed.append(done))
    assert resumed[0] > share - 0.25, "it went on from its last epoch"
    assert history == expected_history
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_layers_of_others_draw_as_if_nothing_had_been(tmp_path):
    def network():
        made = cell_network()
        made.body.classifier = torch.nn.Sequential(torch.nn.Dropout(0.5), made.body.classifier)
        return made

    path = tmp_path / "checkpoints" / "one"
    torch.manual_seed(5)
    _, expected = weights(PLAIN, build_one=network)
    torch.manual_seed(5)
    with pytest.raises(PulledPlugError):
        weights(PLAIN, Bookmark(path, spacing=0), until(0.6), network)
    _, found = weights(PLAIN, Bookmark(path, spacing=0), build_one=network)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", "whole"])
def test_a_damaged_file_is_said_and_the_training_begins_anew(content, tmp_path, caplog):
    path = tmp_path / "one"
    path.write_bytes(content) if content != "whole" else torch.save([1, 2], path)
    begun = []
    with caplog.at_level(logging.WARNING):
        _, found = weights(PLAIN, Bookmark(path), lambda done, text="": begun.append(done))
    assert begun[0] == pytest.approx(1 / 12)
    assert "cannot be read, so the task begins anew" in caplog.text
    assert all(torch.equal(found[name], tensor) for name, tensor in weights(PLAIN)[1].items())


def test_code_in_such_a_file_is_not_run(tmp_path, caplog):
    class Hostile:
        def __reduce__(self):
            return (tmp_path.joinpath("harmed").touch, ())

    torch.save({"network": Hostile(), "seconds": 0.0}, tmp_path / "one")
    assert Bookmark(tmp_path / "one").read() is None
    assert not (tmp_path / "harmed").exists()


def test_nothing_is_written_before_it_is_time_for_it(tmp_path):
    weights(PLAIN, Bookmark(tmp_path / "one", spacing=1000))
    assert not list(tmp_path.iterdir())


def test_a_task_leaves_the_same_files_and_says_the_time_of_all_attempts(tmp_path, monkeypatch):
    monkeypatch.setattr("nasaudit.training.bookmark.SPACING", 0.0)
    task = TrainTask(
        architecture=resolve(ArchChoice(name="vgg"), "mini", 10, (1, 8, 8)),
        data=DataSpec(name="digits", train_images=200),
        training=PLAIN.model_copy(update={"epochs": 3, "batch_size": 64}),
        seed=0,
    )

    def run(name, progress, checkpoint=None):
        (tmp_path / name).mkdir()
        workspace = Workspace(
            tmp_path / name, find=None, progress=progress, downloads=tmp_path, checkpoint=checkpoint
        )
        train_network(task, workspace)
        return workspace

    quiet = lambda done, text="": None  # noqa: E731
    checkpoint = tmp_path / "checkpoints" / "one"
    run("undisturbed", quiet)
    with pytest.raises(PulledPlugError):
        run("interrupted", until(0.7), checkpoint)
    workspace = run("resumed", quiet, checkpoint)
    assert sum(workspace.earlier) > 0
    first, second = (
        {path.name: path for path in (tmp_path / name).iterdir()} for name in ("undisturbed", "resumed")
    )
    assert first.keys() == second.keys() >= {"weights.safetensors", "weights_epoch1.safetensors"}
    for name, path in first.items():
        if path.suffix == ".safetensors":  # whose header has no fixed order
            expected, found = load_file(path), load_file(second[name])
            assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())
        else:
            assert second[name].read_bytes() == path.read_bytes()
    assert len(json.loads(second["history.json"].read_text())["loss"]) == 9
