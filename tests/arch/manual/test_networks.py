import pytest
import torch
from torch import nn

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.cost import count_flops, count_parameters
from nasaudit.arch.manual.families import FAMILIES
from nasaudit.arch.manual.networks import manual_body
from nasaudit.arch.network import build
from nasaudit.errors import UnknownNameError
from nasaudit.spec.arch import FLOPS_BUDGET, IMAGE_SIDE, ArchSpec
from nasaudit.spec.study import ArchChoice

# Trainable values for 224x224 and 1,000 classes, and features that enter the last layer. Torchvision
# publishes the counts with its weights; BiT's (25.55 M) and DLA's (15.74 M) are derived below.
IMAGENET = {
    "bit": (25_549_352, 2048),
    "densenet": (7_978_856, 1024),
    "dla": (15_742_104, 512),
    "resnet": (11_689_512, 512),
    "resnext": (25_028_904, 2048),
    "vgg": (133_053_736, 4096),
    "wideresnet": (68_883_240, 2048),
}


def spec_of(name, scale="mini", classes=10, shape=(3, 28, 28)):
    return resolve(ArchChoice(name=name), scale, classes, shape)


def small_image_count(name, classes):
    """What the swap of stem and head leaves of the published count.

    Stem: a 7x7 convolution becomes 3x3, so 3 x width x (49 - 9) weights go; the width is 64, DLA's 16, and
    VGG's stem is 3x3 already.
    Head: features x 1000 + 1000 becomes features x classes + classes.
    VGG also loses its hidden layers, (512 x 7 x 7 + 1) x 4096 + (4096 + 1) x 4096, and its head reads 512.
    So ResNet-18 for CIFAR10: 11,689,512 - 7,680 - 513,000 + 5,130 = 11,173,962.
    """
    published, features = IMAGENET[name]
    body = published - (features + 1) * 1000
    if name == "vgg":
        return body - (512 * 49 + 1) * 4096 - 4097 * 4096 + 513 * classes
    return body - 3 * (16 if name == "dla" else 64) * 40 + (features + 1) * classes


def test_bit_is_resnet50_with_its_norms_moved():
    """ResNet-50 (25,557,032 published by torchvision) and BiT-50x1 have the same convolutions and head.

    A ResNet-50 norms its stem (64), in each block both inner widths and the output (1 + 1 + 4 times the inner
    width), and each stage's shortcut. BiT norms the input of each block, both inner widths, and the end.
    Every channel of a norm has a scale and a shift.
    """
    inner, blocks = (64, 128, 256, 512), (3, 4, 6, 3)
    post = 64 + sum(6 * mid * count + 4 * mid for mid, count in zip(inner, blocks, strict=True))
    inputs = (64 + 2 * 256) + (256 + 3 * 512) + (512 + 5 * 1024) + (1024 + 2 * 2048)
    pre = inputs + sum(2 * mid * count for mid, count in zip(inner, blocks, strict=True)) + 2048
    assert 25_557_032 - 2 * (post - pre) == IMAGENET["bit"][0]


def test_dla34_in_closed_form():
    """Yu et al., figure 3: four trees; the third and the fourth level are two trees deep.

    A tree of two basic blocks has four 3x3 convolutions with norms, a projection where the width changes, and
    a 1x1 root that reads both blocks and whatever is handed down: the level's input, and the first subtree.
    """

    def tree(inputs, width, handed_down=0):
        blocks = 9 * inputs * width + 3 * 9 * width * width + 4 * 2 * width
        project = inputs * width + 2 * width if inputs != width else 0
        return blocks + project + (2 * width + handed_down) * width + 2 * width

    stem = (49 * 3 * 16 + 32) + (9 * 16 * 16 + 32) + (9 * 16 * 32 + 64)
    trees = tree(32, 64)
    for inputs, width in ((64, 128), (128, 256)):
        trees += tree(inputs, width) + tree(width, width, handed_down=inputs + width)
    trees += tree(256, 512, handed_down=256)
    assert stem + trees + 513 * 1000 == IMAGENET["dla"][0]


def test_the_derivation_gives_the_known_count_of_resnet18_for_cifar():
    assert small_image_count("resnet", 10) == 11_173_962


@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("name", FAMILIES)
def test_paper_scale_has_the_published_number_of_parameters(name, classes):
    with torch.device("meta"):  # shapes are enough
        body = manual_body(spec_of(name, "paper", classes, (3, 32, 32)))
    assert count_parameters(body) == small_image_count(name, classes)


@pytest.mark.parametrize("scale", FLOPS_BUDGET)
@pytest.mark.parametrize("name", [name for name in CATALOGUE if CATALOGUE[name].group != "robust_nas"])
def test_networks_stay_within_the_budget_of_their_scale(name, scale):
    shape = (3, IMAGE_SIDE[scale], IMAGE_SIDE[scale])
    with torch.device("meta"):  # shapes are enough
        network = build(spec_of(name, scale, shape=shape))
    low, high = FLOPS_BUDGET[scale]
    assert low <= count_flops(network, shape) <= high


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (3, 9, 31)])
@pytest.mark.parametrize("name", FAMILIES)
def test_mini_runs_forward_and_backward_at_every_size(name, shape):
    check_both_ways(name, "mini", shape)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "wideresnet"])
def test_paper_runs_forward_and_backward(name):
    check_both_ways(name, "paper", (3, 32, 32))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 64, 64)])
@pytest.mark.parametrize("name", FAMILIES)
def test_paper_runs_forward_and_backward_at_every_size(name, shape):
    check_both_ways(name, "paper", shape)


def check_both_ways(name, scale, shape):
    """Logits of the right shape, and a finite gradient that is not zero for every weight and the image."""
    torch.manual_seed(0)
    network = build(spec_of(name, scale, 7, shape), seed=0)
    images = torch.rand(2, *shape, requires_grad=True)
    logits = network(images)
    assert logits.shape == (2, 7)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    gradients = [images.grad, *(parameter.grad for parameter in network.parameters())]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
    assert images.grad.abs().sum() > 0
    assert network.body.get_classifier().weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", FAMILIES)
def test_the_stem_keeps_the_resolution(name):
    """The first convolution is 3x3 with stride 1, and nothing shrinks before the first stage has run."""
    body = manual_body(spec_of(name, "mini"))
    widths = []
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda layer, _, output: widths.append((layer, output.shape[-1])))
    with torch.no_grad():
        body.eval()(torch.rand(1, 3, 32, 32))
    stem = widths[0][0]
    assert (stem.kernel_size, stem.stride, stem.padding) == ((3, 3), (1, 1), (1, 1))
    assert [width for _, width in widths[:2]] == [32, 32]
    assert sorted({width for _, width in widths}, reverse=True)[:4] == [32, 16, 8, 4]


@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_works_in_place_on_an_activation_that_a_hook_sees(name):
    assert not any(getattr(module, "inplace", False) for module in build(spec_of(name)).modules())


@pytest.mark.parametrize("name", FAMILIES)
def test_function_transforms_agree_with_autograd(name):
    """Per-image gradients by `vmap(grad)`, which the analyses use, against one backward pass an image."""
    torch.manual_seed(0)
    network = build(spec_of(name, shape=(1, 8, 8))).eval()
    images = torch.rand(3, 1, 8, 8)
    gradients = torch.func.vmap(torch.func.grad(lambda image: network(image[None])[0, 0]))(images)
    leaf = images.clone().requires_grad_()
    network(leaf)[:, 0].sum().backward()
    torch.testing.assert_close(gradients, leaf.grad, rtol=1e-3, atol=1e-5)


def test_weights_come_from_the_seed():
    first, again, other = (
        build(spec_of("densenet"), seed).state_dict()["body.features.conv0.weight"] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_name_that_is_no_family_is_refused():
    spec = ArchSpec(name="alexnet", group="manual")
    with pytest.raises(UnknownNameError, match="manual family"):
        manual_body(spec)
