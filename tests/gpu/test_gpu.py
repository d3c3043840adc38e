"""The same study on a GPU as on the CPU, and what only a GPU has: memory that runs out."""

import pytest
import torch

from nasaudit.results.assemble import to_frame
from nasaudit.running.options import RunOptions
from nasaudit.running.run import run
from nasaudit.spec.study import StudySpec

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU on this machine"),
]
STUDY = {
    "architectures": ["resnet", "darts"],
    "data": {"name": "digits", "train_images": 600},
    "training": {"epochs": 8},
    "seeds": [0],
    "attacks": [
        {"name": "pgd", "images": 100},
        {"name": "square", "images": 50, "queries": 100},
        {"name": "label_flip", "fractions": [0, 0.4]},
        "badnets",
        {"name": "knockoff", "budget_shares": [1]},
        "loss_threshold",
    ],
}


@pytest.mark.timeout(900)
def test_a_study_of_all_families_comes_to_like_figures(tmp_path) -> None:
    """Not the same: other kernels round otherwise, and a training amplifies it."""
    study = StudySpec.parse(STUDY)
    frames = {}
    for device in ("cpu", "cuda"):
        results = run(study, tmp_path / device, RunOptions(device=device, workers=1))
        assert results.failures == []
        frames[device] = to_frame(results)
    keys = ["architecture", "family", "attack", "metric", "setting", "seed"]
    both = frames["cpu"].merge(frames["cuda"], on=keys, suffixes=("_cpu", "_cuda"))
    assert len(both) == len(frames["cpu"])
    accuracy = both[both.metric == "clean_accuracy"]
    assert (accuracy.value_cpu - accuracy.value_cuda).abs().max() < 0.1
    shares = both[(both.unit_cpu == "fraction") & (both.family == "evasion")]
    assert (shares.value_cpu - shares.value_cuda).abs().mean() < 0.1


@pytest.mark.timeout(900)
def test_a_training_ends_in_the_same_bits_twice(tmp_path) -> None:
    study = StudySpec.parse(STUDY | {"attacks": [], "analyses": []})
    for place in ("first", "second"):
        assert run(study, tmp_path / place, RunOptions(device="cuda", workers=1)).failures == []
    first, second = (sorted((tmp_path / place).rglob("*.safetensors")) for place in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second] != []


def test_a_batch_that_does_not_fit_is_halved(tmp_path) -> None:
    """With a hundredth of the memory."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        study = StudySpec.parse(
            {
                "architectures": ["resnet"],
                "scale": "paper",
                "data": {"name": "digits", "train_images": 1000},
                "training": {"epochs": 1, "batch_size": 1000},
                "seeds": [0],
                "analyses": [],
            }
        )
        results = run(study, tmp_path / "out", RunOptions(executor="serial", device="cuda"))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert results.failures == []
    assert [flag.kind for flag in results.flags].count("batch_in_parts") == 1
