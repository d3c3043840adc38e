"""Trained modules and images in memory: audited as they are, known by what they do."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import nasaudit
from nasaudit.arch import objects
from nasaudit.errors import CheckpointError, InputError, ModelError, SpecError
from nasaudit.running.display.observer import Silent
from nasaudit.running.options import RunOptions
from nasaudit.spec.attacks import PgdSpec

SHAPE = (1, 8, 8)
QUICK = PgdSpec(steps=3, images=40)


class Net(nn.Module):
    def __init__(self, slope: float = 0.0):
        super().__init__()
        self.slope = slope
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.1)
        )
        self.head = nn.Linear(128, 10)

    def forward(self, pixels):
        return self.head(nn.functional.leaky_relu(self.body(pixels), self.slope))


@pytest.fixture(scope="module")
def digits():
    images = (load_digits().images / 16).astype(np.float32)[:, None]
    labels = load_digits().target
    return (images[:1200], labels[:1200]), (images[1200:], labels[1200:])


@pytest.fixture(scope="module")
def trained(digits):
    (images, labels), _ = digits
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net()
        optimizer = torch.optim.Adam(net.parameters(), 0.01)
        for step in range(120):
            batch = slice(step * 100 % 1200, step * 100 % 1200 + 100)
            loss = nn.functional.cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


@pytest.fixture(scope="module")
def audited(trained, digits, tmp_path_factory):
    return nasaudit.audit(
        trained, data=digits, attacks=[QUICK, "loss_threshold"], analyses="none",
        out=tmp_path_factory.mktemp("audits") / "net", epsilon="8/255,64/255",
    )  # fmt: skip


def value(audit, metric, **setting):
    rows = audit.frame.query(f"metric == '{metric}'")
    for key, text in setting.items():
        rows = rows[rows.setting.str.contains(f"{key}={text}")]
    return float(rows.value.iloc[0])


def test_a_module_is_as_accurate_as_its_owner_measures(audited, trained, digits):
    _, (images, labels) = digits
    with torch.no_grad():
        right = copy.deepcopy(trained).eval()(torch.from_numpy(images)).argmax(1).numpy() == labels
    tested = audited.frame.query("metric == 'clean_accuracy'").iloc[0]
    assert tested.n == round(0.85 * len(labels), 0)
    assert abs(tested.value - right.mean()) < 0.03  # 15 % of the test part are the attackers' pool
    assert trained.training  # it is left as it was
    assert not audited.failed


def test_names_specs_and_sizes_are_those_that_were_asked_for(audited):
    study = audited.results.study
    assert [attack.name for attack in study.attacks] == ["pgd", "loss_threshold"]
    assert study.attacks[0].steps == 3
    assert study.attacks[0].epsilons == (8 / 255, 64 / 255)
    assert study.seeds == (0,)
    assert study.analyses == ()


def test_the_same_module_and_images_are_not_audited_twice(audited, trained, digits):
    class Counting(Silent):
        started_tasks = 0

        def started(self, task):
            Counting.started_tasks += 1

    def again(net):
        return nasaudit.audit(
            net, data=digits, attacks=[QUICK], analyses="none", out=audited.folder.parent / "again",
            options=RunOptions(observer=Counting(), store=audited.folder / "store"),
        )  # fmt: skip

    again(trained)
    first = Counting.started_tasks
    assert first
    again(copy.deepcopy(trained))
    assert Counting.started_tasks == first
    further = copy.deepcopy(trained)
    with torch.no_grad():
        further.head.bias += 0.1
    with pytest.raises(nasaudit.NasauditError, match="another study"):
        again(further)


def test_a_digest_is_of_what_a_module_does():
    torch.manual_seed(0)
    net = Net()
    same = objects.hold(net, SHAPE)
    assert objects.hold(copy.deepcopy(net), SHAPE) == same
    other = copy.deepcopy(net)
    other.slope = 0.3  # no tensor, and not printed
    assert objects.hold(other, SHAPE) != same
    other = copy.deepcopy(net)
    other.body[4].p = 0.5  # seen in training mode alone
    assert objects.hold(other, SHAPE) != same
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.head.weight[0, 0] += 1e-3
    assert objects.hold(other, SHAPE) != same


PROGRAM = """
import torch
from torch import nn
from nasaudit.arch import objects

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 3)

    def forward(self, pixels):
        return self.layer({activation}(pixels.flatten(1)))

torch.manual_seed(0)
print(objects.hold(Tiny(), (1, 8, 8)))
"""


def test_another_process_knows_the_same_module_again():
    def digest(activation):
        program = [sys.executable, "-c", PROGRAM.format(activation=activation)]
        return subprocess.run(program, check=True, capture_output=True, text=True).stdout

    assert digest("torch.relu") == digest("torch.relu") != digest("torch.tanh")


def test_fresh_weights_hold_nothing_of_what_was_learned():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.arange(64.0))
            self.layer = nn.Linear(64, 10)

        def forward(self, pixels):
            return self.layer(self.scale * pixels.flatten(1))

    net = Scaled()
    digest = objects.hold(net, SHAPE)
    torch.manual_seed(1)
    first, second = objects.held(digest, "net"), objects.held(digest, "net")
    assert not torch.equal(first.layer.weight, net.layer.weight)
    assert not torch.equal(first.layer.weight, second.layer.weight)
    assert not torch.equal(first.scale, net.scale)
    assert torch.equal(first.scale.sort().values, net.scale)


def test_a_module_of_another_process_is_asked_for():
    with pytest.raises(ModelError, match="hand the same module to"):
        objects.held("0" * 64, "Net")


def test_two_of_a_class_and_one_named_like_the_catalogue(trained, digits, tmp_path):
    class ResNet(Net):
        pass

    def wanted(*modules):
        finished = nasaudit.audit(*modules, data=digits, attacks=(), analyses=(), out=tmp_path / "many")
        return [spec.name for spec in finished.results.architectures]

    like = ResNet()
    like.load_state_dict(trained.state_dict())
    assert wanted(trained, [trained, like], {"mine": trained}) == ["Net", "Net 2", "own ResNet", "mine"]


def test_a_network_of_ours_has_workers(digits, tmp_path):
    network = nasaudit.load_architecture("resnet", input_shape=SHAPE)
    finished = nasaudit.audit(network, data=digits, attacks=(), analyses=(), out=tmp_path / "ours")
    (spec,) = finished.results.architectures
    assert (spec.name, spec.model) == ("resnet", None)
    with pytest.raises(SpecError, match="scale: expected mini"):
        nasaudit.audit(network, data=digits, scale="small", out=tmp_path / "small")
    wrong = nasaudit.load_architecture("resnet", input_shape=SHAPE, classes=7)
    with pytest.raises((CheckpointError, InputError), match="do not fit"):
        nasaudit.audit(wrong, data=digits, attacks=(), analyses=(), out=tmp_path / "wrong")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Net, "got type; call it first"),
        (nn.Flatten(), "expected a module with parameters"),
        (7, "expected names, genotypes or trained torch modules, got int"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 7)), r"expected logits of shape \[2, 10\]"),
    ],
)
def test_what_is_no_trained_module_is_said(wanted, message, digits, tmp_path):
    with pytest.raises(InputError, match=message):
        nasaudit.audit(wanted, data=digits, attacks=(), analyses=(), out=tmp_path / "out")


def test_what_does_not_go_with_a_module_is_said(trained, digits, tmp_path):
    with pytest.raises(InputError, match="weights: expected nothing beside a trained module"):
        nasaudit.audit(trained, data=digits, weights="w.pt", out=tmp_path / "out")
    with pytest.raises(SpecError, match="executor: expected serial"):
        nasaudit.audit(trained, data=digits, out=tmp_path / "out", options=RunOptions(executor="ray"))
    with pytest.raises(SpecError, match="epsilon: expected an attack of evasion"):
        nasaudit.audit("resnet", data="digits", attacks="label_flip", epsilon="8/255")
    with pytest.raises(SpecError, match="attacks: expected names or specs"):
        nasaudit.audit("resnet", data="digits", attacks=[3])
