"""The conformance suite of analyses: what every one of them must keep, inherited by its test.

    class TestMyAnalysis(AnalysisConformance):
        def analysis(self) -> AnalysisSpec:
            return MySpec(images=8)

Pytest runs the inherited tests. Small settings make them quick: the rules are those of any size.
"""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import Network
from nasaudit.errors import NasauditError
from nasaudit.measure.catalogue import METRICS, VARIES
from nasaudit.measure.estimate import Measurement
from nasaudit.progress import Progress, silent
from nasaudit.running.execute import resolve_work
from nasaudit.spec.analyses import AnalysisSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.tasks import AnalysisTask, ArchitectureAnalysisTask, Task, TrainTask, VictimAnalysisTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.records import Record
from nasaudit.store.workspace import Workspace
from nasaudit.testing.bench import Bench
from nasaudit.testing.untouched import untouched
from nasaudit.training import checkpoint


class AnalysisConformance(ABC):
    """Rules of an analysis's work function, on a network that was briefly trained on the embedded digits."""

    @abstractmethod
    def analysis(self) -> AnalysisSpec:
        """The analysis, with settings that make it quick."""

    def victim(self) -> TrainTask:
        """What is analysed."""
        return TrainTask(
            architecture=resolve(choose("vgg"), "mini", 10, (1, 8, 8)),
            data=DataSpec(name="digits"),
            training=TrainingSpec(epochs=1, crop=0),
            seed=0,
        )

    def task(self) -> AnalysisTask:
        """The analysis of the victim, of its architecture, or of a pair."""
        spec, victim = self.analysis(), self.victim()
        if spec.of == "architecture":
            return ArchitectureAnalysisTask(architecture=victim.architecture, analysis=spec)
        other = victim.model_copy(update={"seed": 1}) if spec.of == "pair" else None
        return VictimAnalysisTask(victim=victim, analysis=spec, other=other)

    @pytest.fixture(scope="class")
    @classmethod
    def bench(cls, tmp_path_factory: pytest.TempPathFactory) -> Bench:
        """Where the victim is trained, once."""
        return Bench(tmp_path_factory.mktemp("bench"))

    def measure(self, bench: Bench, folder: Path, progress: Progress = silent) -> list[Measurement]:
        """Do the work in this folder; it finds what its task says that it needs."""
        task = self.task()
        needs = {need.digest() for need in task.needs()}

        def find(wanted: Task) -> tuple[Record, Path]:
            if wanted.digest() not in needs:
                raise NasauditError(f"expected {wanted.label()} among the needs of {task.label()}")
            return bench(wanted)

        return resolve_work(task)(task, Workspace(folder, find, progress))

    def test_figures_are_estimates_of_declared_metrics(self, bench: Bench, tmp_path: Path) -> None:
        """Finite, within their interval, with n and unit, declared in the catalogue, and told apart."""
        measurements = self.measure(bench, tmp_path)
        for measurement in measurements:
            estimate = measurement.estimate
            assert math.isfinite(estimate.value), measurement
            assert -math.inf < estimate.low <= estimate.value <= estimate.high < math.inf, measurement
            assert estimate.n >= 1, measurement
            assert measurement.metric in METRICS, measurement
            assert METRICS[measurement.metric].unit in (estimate.unit, VARIES), measurement
        names = [(measurement.metric, frozenset(measurement.setting)) for measurement in measurements]
        assert len(set(names)) == len(names) > 0

    def test_a_second_time_finds_and_leaves_the_same(self, bench: Bench, tmp_path: Path) -> None:
        """To the last bit: randomness hangs on the task."""
        first, second = tmp_path / "first", tmp_path / "second"
        found = []
        for folder in (first, second):
            folder.mkdir()
            torch.rand(5)  # the global generator must not matter
            found.append(self.measure(bench, folder))
        assert found[0] == found[1]
        assert _content(first) == _content(second)

    def test_the_victim_and_global_generators_are_left_alone(self, bench: Bench, tmp_path: Path) -> None:
        """The network as it was loaded, with weights, gradients, BN statistics and modes; and its files."""
        bench(self.victim())
        before = _content(bench.folder)
        with _loaded_networks_stay_the_same(), untouched():
            self.measure(bench, tmp_path)
        after = _content(bench.folder)
        assert before.items() <= after.items()

    def test_progress_rises(self, bench: Bench, tmp_path: Path) -> None:
        """Shares of the work, of which none is taken back."""
        shares: list[float] = []
        self.measure(bench, tmp_path, lambda done, text="": shares.append(done))
        assert shares == sorted(shares)
        assert all(0 <= share <= 1 for share in shares)


@contextmanager
def _loaded_networks_stay_the_same() -> Iterator[None]:
    load = checkpoint.load
    with ExitStack() as stack:

        def watched(*arguments: object) -> Network:
            network = load(*arguments)  # type: ignore[arg-type]
            stack.enter_context(untouched(network))
            return network

        with patch.object(checkpoint, "load", watched):
            yield


def _content(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
