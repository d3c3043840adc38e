"""Networks of timm, torchvision and Python files: built, normalised, tried, and refused with a reason."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.analysis.topology.receptive_field import last_feature_map, receptive_field
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.cost import cost_by_op, count_flops, count_parameters
from nasaudit.arch.network import build, check
from nasaudit.attacks.backdoor.features import FeatureTap, head_of
from nasaudit.errors import MeasurementError, ModelError, UnknownNameError
from nasaudit.spec.study import ArchChoice
from nasaudit.victim.classifier import Classifier

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])

PLAIN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, input_shape):
        super().__init__()
        channels, height, width = input_shape
        self.first = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.1)
        self.last = nn.Linear(16 * ((height + 1) // 2) * ((width + 1) // 2), classes)

    def forward(self, x):
        x = self.act(self.norm(self.first(x)))
        x = self.act(self.second(x))
        return self.last(self.drop(x.view(x.size(0), -1)))
"""


def spec_of(name, shape=(1, 8, 8), classes=10, **said):
    return resolve(ArchChoice.parse({"name": name, **said}), "mini", classes, shape)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Write a file net.py; the spec of its `build`, or another name."""
    monkeypatch.chdir(tmp_path)

    def written(text, name="build", **options):
        (tmp_path / "net.py").write_text(text)
        return spec_of(f"net.py:{name}", **options)

    return written


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("timm:test_resnet", (1, 8, 8), 10),
        ("timm:test_efficientnet", (3, 40, 24), 3),
        ("timm:test_vit", (3, 32, 32), 7),
        ("torchvision:shufflenet_v2_x0_5", (1, 8, 8), 2),
        ("torchvision:squeezenet1_1", (3, 33, 47), 10),
    ],
)
def test_models_of_libraries_take_any_classes_channels_and_the_sides_that_they_can(name, shape, classes):
    spec = spec_of(name, shape, classes)
    network = check(spec).eval()
    assert network(torch.rand(2, *shape)).shape == (2, classes)
    costs = cost_by_op(network, shape)
    assert sum(cost.parameters for cost in costs.values()) == count_parameters(network)
    assert sum(cost.flops for cost in costs.values()) == count_flops(network, shape) > 0


def test_weights_hang_on_the_seed_alone():
    spec = spec_of("timm:test_resnet")
    first = build(spec, 3).state_dict()
    torch.rand(7)
    again, other = build(spec, 3).state_dict(), build(spec, 4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    ("name", "shape", "said", "mean", "std"),
    [
        ("timm:test_resnet", (3, 8, 8), "dataset", [0.1, 0.2, 0.3], [1.0, 2.0, 4.0]),
        ("timm:resnet18", (3, 8, 8), "own", *IMAGENET),
        ("timm:resnet18", (1, 8, 8), "own", [np.mean(IMAGENET[0])], [np.mean(IMAGENET[1])]),
        ("torchvision:shufflenet_v2_x0_5", (3, 8, 8), "own", *IMAGENET),
        ("torchvision:shufflenet_v2_x0_5", (1, 8, 8), "own", *IMAGENET),
        ("torchvision:shufflenet_v2_x0_5", (1, 8, 8), "dataset", [0.1] * 3, [1.0] * 3),
        ("timm:test_resnet", (3, 8, 8), "none", [0.0] * 3, [1.0] * 3),
        ("darts", (3, 8, 8), {"mean": [0.5, 0.6, 0.7], "std": [0.25]}, [0.5, 0.6, 0.7], [0.25] * 3),
    ],
)
def test_pixels_are_normalised_as_stated(name, shape, said, mean, std):
    moments = torch.tensor([0.1, 0.2, 0.3][: shape[0]]), torch.tensor([1.0, 2.0, 4.0][: shape[0]])
    network = build(spec_of(name, shape, normalise=said), 0, moments).eval()
    pixels = torch.rand(2, *shape)
    columns = [torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1) for values in (mean, std)]
    expected = network.body((pixels - columns[0]) / columns[1])
    assert torch.allclose(network(pixels), expected, atol=1e-5)
    assert len(network.mean_colour) == shape[0]


def test_a_file_works_wherever_a_network_is_used(file):
    """Its `view` forbids channels-last, its activations are in-place, its images have one channel."""
    spec = file(PLAIN, "Net")
    network = check(spec).eval()
    assert network.memory_format is torch.contiguous_format
    pixels = torch.rand(5, 1, 8, 8)
    # All strides that one channel can have, as the training loop and the attacks make them.
    for given in (pixels, torch.empty_like(pixels, memory_format=torch.channels_last).copy_(pixels)):
        assert torch.equal(network(given), network(pixels))
        assert torch.equal(network.train()(given[:2]).isfinite(), torch.ones(2, 10, dtype=torch.bool))
        network.eval()
    classifier = Classifier(network, 10)
    assert classifier.folded
    assert torch.allclose(classifier(pixels), network(pixels), atol=1e-4)
    assert head_of(network) is network.body.last
    with FeatureTap(network) as tap:
        network(pixels)
        assert tap.take().shape == (5, 16 * 16)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import sys\nprint('x')\nsys.exit(3)\n", r"cannot be built: it calls exit \(net\.py, line 3\)"),
        ("def build():\n    raise KeyError('weight')\n", r"KeyError: 'weight' \(net\.py, line 2\)"),
        ("import no_such_library\n", r"ModuleNotFoundError.*no_such_library.*\(net\.py, line 1\)"),
        ("def build(classes, depth): ...\n", "needs the argument 'depth'"),
        ("def build(): return 3\n", r"expected a torch\.nn\.Module, got int"),
        ("from torch import nn\ndef build(): return nn.Flatten()\n", "expected a module with parameters"),
        (
            "from torch import nn\ndef build(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 12))\n",
            r"expected logits of shape \[2, 10\] for 10 classes, got \[2, 12\].*take `classes`",
        ),
        (
            "from torch import nn\ndef build(): return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n",
            r"does not work on images of 1x8x8: RuntimeError: mat1 and mat2",
        ),
        (
            PLAIN + "class build(Net):\n    def forward(self, x): return super().forward(x), x\n",
            "expected logits as one tensor, got tuple",
        ),
        (
            PLAIN + "class build(Net):\n    def forward(self, x): exit()\n",
            r"does not work on images of 1x8x8: it calls exit \(net\.py, line",
        ),
        (
            PLAIN + "class build(Net):\n    def forward(self, x):\n        y = super().forward(x)\n"
            "        return (y, x) if self.training else y\n",
            "expected logits as one tensor, got tuple",
        ),
        (
            PLAIN
            + "class build(Net):\n    def forward(self, x): return super().forward(x.round().detach())\n",
            "differentiated by the pixels",
        ),
        (
            "import torch\n" + PLAIN + "class build(Net):\n    def forward(self, x):\n"
            "        with torch.no_grad(): return super().forward(x)\n",
            "differentiated by the pixels, got none",
        ),
        (
            "import torch\n"
            + PLAIN
            + """
class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()
    @staticmethod
    def backward(ctx, g): raise NotImplementedError("no way back")
class build(Net):
    def forward(self, x): return super().forward(Once.apply(x))
""",
            r"cannot be differentiated: NotImplementedError: no way back \(net\.py, line",
        ),
        (
            PLAIN + "class build(Net):\n    def __init__(self, classes, input_shape):\n"
            "        super().__init__(classes, input_shape)\n        self.lines = (line for line in 'ab')\n",
            "cannot be copied: TypeError",
        ),
    ],
)
def test_a_factory_that_cannot_be_audited_is_refused_with_the_reason(file, text, told):
    with pytest.raises(ModelError, match=rf"net\.py:build: .*{told}"):
        check(file(text))


def test_a_file_that_misbehaves_changes_nothing_outside(file, capsys):
    spec = file(
        PLAIN
        + """
import random, numpy, torch
def trouble():
    print("hello")
    torch.manual_seed(1); numpy.random.seed(1); random.seed(1)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)

trouble()
class Trouble(Net):
    def forward(self, x):
        trouble()
        return super().forward(x)

def build(classes, input_shape):
    return Trouble(classes, input_shape)
"""
    )
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    expected = torch.rand(1).item(), np.random.rand(), random.random()
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    network = build(spec)
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "shape", "error", "told"),
    [
        ("timm:resnt18", (1, 8, 8), UnknownNameError, "unknown timm model.*did you mean resnet18"),
        (
            "torchvision:resnt18",
            (1, 8, 8),
            UnknownNameError,
            "unknown torchvision model.*did you mean resnet18",
        ),
        ("torchvision:raft_small", (3, 64, 64), UnknownNameError, "unknown torchvision model"),
        ("timm:resnet18.no_such_tag", (3, 32, 32), ModelError, "cannot be built: .*no_such_tag"),
        ("timm:test_vit", (1, 8, 8), ModelError, "does not work on images of 1x8x8.*made for 3x160x160"),
        ("timm:vit_tiny_patch16_224", (3, 28, 28), ModelError, "reads only the first 16x16 pixels of 28x28"),
        ("torchvision:vgg11", (1, 8, 8), ModelError, "does not work on images of 1x8x8: .*too small"),
    ],
)
def test_what_a_library_cannot_build_for_these_images_is_said(name, shape, error, told):
    with pytest.raises(error, match=told):
        check(spec_of(name, shape))


@pytest.mark.parametrize(
    ("name", "shape", "channels"),
    [
        ("timm:test_resnet", (3, 32, 32), 96),
        ("torchvision:shufflenet_v2_x0_5", (3, 32, 32), 1024),
        ("timm:test_vit", (3, 32, 32), None),
    ],
)
def test_the_last_feature_map_is_found_or_there_is_none(name, shape, channels):
    network = build(spec_of(name, shape)).eval()
    found = last_feature_map(network, torch.rand(1, *shape))
    assert (None if found is None else found.shape[1]) == channels
    field = receptive_field(network.spec, 2)
    assert (field is None) == (channels is None)


def test_the_receptive_field_of_a_file_is_that_of_its_convolutions(file):
    text = "from torch import nn\ndef build(classes): return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), "
    text += "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))\n"
    field = receptive_field(file(text), 8)
    assert field is not None
    assert 2 <= field.value <= 3


def test_code_that_asks_for_values_is_counted_with_data(file):
    text = PLAIN + "class build(Net):\n    def forward(self, x):\n"
    text += "        if x.abs().max().item() > 1e9: raise ValueError\n        return super().forward(x)\n"
    assert count_flops(build(file(text)), (1, 8, 8)) == count_flops(build(file(PLAIN, "Net")), (1, 8, 8))


def test_a_network_without_a_final_layer_is_refused_by_what_reads_it(file):
    text = "from torch import nn\ndef build(): return nn.Sequential(nn.Conv2d(1, 10, 3), nn.AdaptiveAvgPool2d(1), "
    network = check(file(text + "nn.Flatten())\n"))
    with pytest.raises(
        MeasurementError, match="expected a linear layer or a 1x1 convolution with 10 outputs"
    ):
        head_of(network)


def test_layers_that_get_their_sizes_from_the_first_image_are_built(file):
    text = "from torch import nn\ndef build(classes): return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))\n"
    assert count_parameters(check(file(text))) == 65 * 10


def test_a_plain_module_is_trained_channels_last(file):
    network = build(
        file("from torch import nn\n" + PLAIN.replace("x.view(x.size(0), -1)", "x.flatten(1)"), "Net")
    )
    assert network.memory_format is torch.channels_last
    assert isinstance(network.body, nn.Module)
