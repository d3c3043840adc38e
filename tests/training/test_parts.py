"""Batches that do not fit into the memory: the gradient is that of the whole, and it is said."""

import pytest
import torch
from torch import nn

from nasaudit.arch.network import Network
from nasaudit.running.options import RunOptions
from nasaudit.running.run import run
from nasaudit.spec.study import StudySpec
from nasaudit.training.parts import Parts

OUT = torch.OutOfMemoryError("CUDA out of memory")


def backward_of(model: nn.Module, room: int, error: RuntimeError = OUT):
    """The gradient of a mean loss, if no more than `room` images come at once; fails after half of the work."""
    asked = []

    def backward(pixels: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(len(targets))
        logits = model(pixels.flatten(1))
        loss = nn.functional.cross_entropy(logits[: len(targets)], targets) + logits.square().mean()
        loss.backward()
        if len(targets) > room:
            raise error
        return loss.detach(), (logits[: len(targets)].argmax(1) == targets).double().mean()

    return backward, asked


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("room", [13, 7, 4])
@pytest.mark.parametrize(
    "error", [OUT, RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_the_gradient_is_that_of_the_whole_batch(views: int, room: int, error: RuntimeError) -> None:
    torch.manual_seed(0)
    model = nn.Linear(12, 3).double()
    pixels, targets = torch.randn(views * 13, 3, 2, 2, dtype=torch.double), torch.arange(13) % 3
    whole, _ = backward_of(model, 99)
    loss, correct = whole(pixels, targets)
    wanted = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    some, asked = backward_of(model, room, error)
    parts = Parts(some, model.parameters())
    again = parts(pixels, targets)
    assert max(asked[-parts.count :]) <= room
    assert parts.count == {13: 1, 7: 2, 4: 4}[room]
    torch.testing.assert_close(again, (loss, correct))
    for parameter, gradient in zip(model.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    # And what was there before is kept.
    parts(pixels, targets)
    for parameter, gradient in zip(model.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)
    assert len(asked[-parts.count :]) == parts.count


def test_other_errors_and_parts_of_one_image_are_errors() -> None:
    model = nn.Linear(12, 3).double()
    pixels, targets = torch.randn(8, 3, 2, 2, dtype=torch.double), torch.arange(8) % 3
    for room, error in ((1, OUT), (4, RuntimeError("shape mismatch"))):
        backward, _ = backward_of(model, room, error)
        with pytest.raises(RuntimeError, match=str(error)):
            Parts(backward, model.parameters())(pixels, targets)
        assert all(parameter.grad is None for parameter in model.parameters())


def test_a_study_says_that_its_batches_were_halved(tmp_path, monkeypatch) -> None:
    whole = Network.forward_both

    def small(network: Network, pixels: torch.Tensor):
        if network.training and len(pixels) > 20:
            raise OUT
        return whole(network, pixels)

    monkeypatch.setattr(Network, "forward_both", small)
    study = StudySpec.parse(
        {
            "architectures": ["resnet"],
            "data": {"name": "digits", "train_images": 128},
            "training": {"epochs": 1, "batch_size": 64, "crop": 0},
            "seeds": [0],
            "analyses": [],
        }
    )
    results = run(study, tmp_path / "out", RunOptions(executor="serial", device="cpu"))
    assert results.failures == []
    assert {row.value for row in results.rows if row.metric == "batch_parts"} == {4.0}
    (flag,) = [flag for flag in results.flags if flag.kind == "batch_in_parts"]
    assert (
        "the batches of resnet did not fit into the memory, and were learned from in 4 parts" in flag.message
    )
