"""The architectural backdoor: what its detector sees, and that a training on clean data keeps it."""

import torch

from nasaudit.analysis.topology.weight_free import Join, weight_free_paths
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.attacks.backdoor.architectural import Architectural, checkerboard
from nasaudit.attacks.backdoor.base import Ground
from nasaudit.spec.attacks import ArchitecturalSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.testing.backdoor import BackdoorConformance
from nasaudit.training.evaluate import predict


class TestArchitectural(BackdoorConformance):
    def attack(self, seed=0):
        return Architectural(ArchitecturalSpec(seed=seed))


def slow(image: torch.Tensor) -> float:
    """The detector on one image [C, H, W] by loops over places, channels and pixels."""
    best = 0.0
    for top in range(image.shape[1] - 2):
        for left in range(image.shape[2] - 2):
            channels = []
            for channel in image:
                square = channel[top : top + 3, left : left + 3].flatten().tolist()
                channels.append(min(square[0::2]) - max(square[1::2]))
            best = max(best, min(channels))
    return best


def test_the_detector_is_the_contrast_of_even_and_odd_pixels():
    images = torch.rand(6, 3, 7, 9, generator=torch.Generator().manual_seed(0))
    images[0, :, 2:5, 3:6] = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])
    expected = torch.tensor([slow(image) for image in images])
    torch.testing.assert_close(checkerboard(images), expected)
    assert checkerboard(images)[0] == 1
    edges = torch.zeros(3, 1, 8, 8)
    edges[0, :, :4], edges[1, :, :, 4:] = 1, 1
    edges[2] = torch.ones(8, 8).triu()
    assert checkerboard(edges).tolist() == [0, 0, 0]


def test_a_training_from_scratch_on_clean_data_keeps_it(bundle, victim_task):
    """A cell network, twice by the same recipe and seed; nothing of the images or labels is changed."""
    architecture = resolve(ArchChoice(name="darts"), "mini", 10, (1, 8, 8))
    training = victim_task.training.model_copy(update={"epochs": 3, "batch_size": 32})
    ground = Ground(bundle.train.take(torch.arange(500)), training, seed=7)
    plain = build(architecture, 7, bundle.train.moments)
    ground.fit(plain)
    network = build(architecture, 7, bundle.train.moments)
    planted = Architectural(ArchitecturalSpec(target_class=3)).plant(network, ground)
    labels, others = bundle.test.labels, bundle.test.labels != 3
    kept, before = (predict(model, bundle.test).argmax(1) == labels for model in (planted.network, plain))
    assert kept.float().mean() > before.float().mean() - 0.02
    stamped = planted.stamp(bundle.test.pixels())

    def called(model) -> float:
        with torch.no_grad():
            return float((model.eval()(stamped).argmax(1) == 3)[others].float().mean())

    assert called(planted.network) > 0.99
    assert called(plain) < 0.3
    # Without the detector its layers are those of an ordinary network: the backdoor is in none of its weights.
    ordinary = build(architecture, 7, bundle.train.moments)
    ordinary.load_state_dict(planted.network.state_dict())
    assert called(ordinary) < 0.3
    assert weight_free_paths(plain, (1, 8, 8)) == ()
    assert weight_free_paths(planted.network, (1, 8, 8)) == (Join("add", ""),)
