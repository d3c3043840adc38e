"""What a training is expected to take of the memory, beside what torch's profiler sees its allocator give."""

from collections.abc import Callable

import pytest
from torch.profiler import ProfilerActivity, profile

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.training import TrainingSpec
from nasaudit.training import memory
from nasaudit.training.loop import fit
from nasaudit.victim.batches import in_batches

BATCH = 24


def mini(name: str) -> ArchSpec:
    return resolve(ArchChoice(name=name), "mini", 10, (3, 16, 16))


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that the allocator had given at once."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    given = most = 0
    for event in profiled.profiler.kineto_results.events():
        if event.name() == "[memory]":
            given += event.nbytes()
            most = max(most, given)
    return most


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("darts", {"optimizer": "sgd"}),
        ("vgg", {"optimizer": "adamw"}),
        ("resnet", {"precision": "bf16"}),
        ("resnet", {"defences": ({"name": "adversarial_training", "steps": 1},)}),
    ],
)
def test_a_batch_takes_what_few_images_foretell(name: str, fields: dict[str, object]) -> None:
    architecture = mini(name)
    recipe = TrainingSpec.parse({**fields, "epochs": 1, "batch_size": BATCH})

    def train() -> None:
        fit(build(architecture), memory._images(architecture, 2 * BATCH), recipe, seed=0)

    # What an op takes for itself, such as a gradient in another layout, is not seen.
    assert 0.9 < memory.bytes_of_training(architecture, recipe, BATCH) / peak_of(train) < 1.02


def test_answers_take_less_and_grow_with_the_batch() -> None:
    architecture = mini("resnet")
    images = memory._images(architecture, BATCH)
    truth = peak_of(lambda: in_batches(build(architecture).eval(), images, "cpu"))
    expected = memory.bytes_of_answers(architecture, BATCH)
    assert expected == pytest.approx(truth, rel=0.05)
    assert expected < memory.bytes_of_answers(architecture, 2 * BATCH)
    assert expected < memory.bytes_of_training(architecture, TrainingSpec(), BATCH)
