"""A study's results as the runner leaves them, made up: numbers that look real and are known to the tests."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from nasaudit.arch.catalogue import resolve
from nasaudit.measure.estimate import Estimate, exact
from nasaudit.measure.proportion import proportion
from nasaudit.results.schema import Examples, Failure, Flag, History, Row, StudyResults
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import PgdSpec
from nasaudit.spec.recipes import recipe
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.units import format_epsilon
from nasaudit.verdicts.decide import decide

MakeStudy = Callable[..., StudyResults]
IMAGES = 500
# Epsilon, in grey levels, at which half of the images fall; clean accuracy.
CHARACTER = {"darts": (8.6, 0.976), "resnet": (10.4, 0.969)}


class Builder:
    """Collects the rows of one study."""

    def __init__(self, architectures: Sequence[str], seeds: Sequence[int], attacks: bool, protocol: str):
        attack_specs = (PgdSpec(), PgdSpec(goal="least_likely")) if attacks else ()
        self.study = StudySpec(
            name="darts against resnet",
            architectures=tuple(ArchChoice(name=name) for name in architectures),
            seeds=tuple(seeds),
            attacks=attack_specs,
            protocol=protocol,
        )
        self.rows: list[Row] = []
        self.specs: list[ArchSpec] = []

    def row(
        self,
        spec: ArchSpec,
        seed: int | str,
        family: str,
        metric: str,
        estimate: Estimate,
        attack: str = "",
        **setting: str,
    ) -> None:
        self.rows.append(
            Row(
                architecture=spec.name,
                group=spec.group,
                data=self.study.data.name,
                scale=self.study.scale,
                seed=seed,
                protocol=self.study.protocol,
                family=family,
                attack=attack,
                setting=setting,
                metric=metric,
                value=estimate.value,
                low=estimate.low,
                high=estimate.high,
                n=estimate.n,
                unit=estimate.unit,
                bound=estimate.bound or "",
            )
        )

    def add(self, spec: ArchSpec, half: float, accuracy: float) -> None:
        self.specs.append(spec)
        self._topology(spec)
        for seed in (*self.study.seeds, "all"):
            runs = len(self.study.seeds) if seed == "all" else 1
            jitter = 0.0 if seed == "all" else 0.004 * seed
            self._training(spec, seed, accuracy - jitter, runs)
            for attack in self.study.attacks:
                self._evasion(spec, seed, attack, half * (1.5 if attack.goal == "least_likely" else 1), runs)

    def _topology(self, spec: ArchSpec) -> None:
        self.row(
            spec, "all", "topology", "parameters", exact(169_402 if spec.genotype else 174_970, "parameters")
        )
        self.row(spec, "all", "topology", "flops", exact(14_120_448, "flops"))
        if spec.genotype is None:
            return
        for cell, shape in (("normal", (2, 3.5, 1, 0.125)), ("reduction", (3, 2.5, 3, 0.375))):
            for metric, value in zip(("depth", "width", "skips", "skip_share"), shape, strict=True):
                unit = {"depth": "edges", "width": "inputs", "skips": "edges", "skip_share": "fraction"}[
                    metric
                ]
                self.row(spec, "all", "topology", metric, exact(value, unit), cell=cell)

    def _training(self, spec: ArchSpec, seed: int | str, accuracy: float, runs: int) -> None:
        for metric, n, setting in (
            ("clean_accuracy", 1000, {"split": "test"}),
            ("validation_accuracy", 250, {}),
            ("train_accuracy", 3000, {}),
        ):
            self.row(
                spec, seed, "training", metric, proportion(round(accuracy * n * runs), n * runs), **setting
            )
        steps = Estimate(210.0, 190.0, 230.0, runs, "steps")
        self.row(spec, seed, "convergence", "steps_to_accuracy", steps, accuracy="0.9")
        self.row(spec, seed, "convergence", "loss_area", Estimate(0.31, 0.29, 0.33, runs, "loss"))

    def _evasion(self, spec: ArchSpec, seed: int | str, attack: PgdSpec, half: float, runs: int) -> None:
        where = {"norm": attack.norm, "goal": attack.goal}
        for images, n in (("all", IMAGES), ("correct", IMAGES - 14), ("common", IMAGES - 22)):
            fallen = [1 / (1 + np.exp(-(255 * epsilon - half) / 1.7)) for epsilon in attack.epsilons]
            for epsilon, share in zip(attack.epsilons, fallen, strict=True):
                at = format_epsilon(epsilon)
                asr = proportion(round(share * n * runs), n * runs)
                self.row(spec, seed, "evasion", "asr", asr, "pgd", **where, epsilon=at, images=images)
                if images == "all":
                    robust = proportion(round((1 - share) * n * runs), n * runs)
                    self.row(
                        spec,
                        seed,
                        "evasion",
                        "robust_accuracy",
                        robust,
                        "pgd",
                        **where,
                        epsilon=at,
                        images=images,
                    )
            area = float(np.mean(fallen))
            area_row = Estimate(area, max(0.0, area - 0.02), area + 0.02, n * runs, "fraction")
            self.row(spec, seed, "evasion", "curve_area", area_row, "pgd", **where, images=images)
            median = Estimate(half / 255, (half - 0.3) / 255, (half + 0.4) / 255, n * runs, "pixel fraction")
            if half > 16:
                median = exact(16 / 255, "pixel fraction", n * runs, bound="lower")
            self.row(
                spec,
                seed,
                "evasion",
                "median_minimal_epsilon",
                median,
                "pgd",
                **where,
                images=images,
            )
        self.row(
            spec,
            seed,
            "evasion",
            "mean_steps",
            Estimate(7.2, 7.0, 7.4, IMAGES * runs, "steps"),
            "pgd",
            **where,
        )
        zero = proportion(0, IMAGES * runs)
        self.row(spec, seed, "evasion", "zero_gradient_share", zero, "pgd", **where)


def _history(architecture: str, seed: int, rng: np.random.Generator) -> History:
    step = list(range(0, 564, 3))
    progress = np.array(step) / 564
    loss = 2.3 * np.exp(-4 * progress) + 0.08 + 0.05 * rng.standard_normal(len(step)) * np.exp(-progress)
    accuracy = np.clip(1 - 0.9 * np.exp(-6 * progress) - 0.03 * rng.random(len(step)), 0, 1)
    return History(
        architecture=architecture, seed=seed, images_per_step=64, step=step,
        loss=np.abs(loss).tolist(), accuracy=accuracy.tolist(),
    )  # fmt: skip


def _write_examples(path: Path, rng: np.random.Generator, channels: int = 3, count: int = 8) -> None:
    clean = np.zeros((count, channels, 28, 28), np.uint8)
    for k in range(count):
        clean[k, :, 5:23, 6 + k : 10 + k] = 230
        clean[k, :, 5:9, 6:22] = 180
    epsilon = np.array([4, 6, 6, 8, 8, 10, 10, 12])[:count] / 255
    change = np.sign(rng.standard_normal(clean.shape)) * epsilon[:, None, None, None]
    adversarial = np.clip(clean / 255 + change, 0, 1).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path, clean=clean, adversarial=adversarial, index=np.arange(count) * 7, label=np.arange(count) % 10,
        prediction=(np.arange(count) + 3) % 10, epsilon=epsilon,
    )  # fmt: skip


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Builds results, with the example files in `tmp_path`."""

    def make(
        architectures: Sequence[str] = ("darts", "resnet"),
        seeds: Sequence[int] = (0, 1),
        attacks: bool = True,
        without_results: Sequence[str] = (),
        renamed: dict[str, str] | None = None,
        failures: Sequence[Failure] = (),
        flags: Sequence[Flag] = (),
        character: dict[str, tuple[float, float]] = CHARACTER,
        protocol: str = "sound",
        histories: bool = True,
        channels: int = 3,
    ) -> StudyResults:
        rng = np.random.default_rng(7)
        builder = Builder(architectures, seeds, attacks, protocol)
        for position, name in enumerate(architectures):
            spec = resolve(ArchChoice(name=name), "mini", 10, (3, 28, 28))
            if renamed and name in renamed:
                spec = spec.model_copy(update={"name": renamed[name], "group": "custom"})
            if name in without_results:
                builder.specs.append(spec)
            else:
                builder.add(spec, *character.get(name, (6.5 + 0.4 * position, 0.975 - 0.001 * position)))
        named = [spec.name for spec in builder.specs]
        examples = []
        for position, name in enumerate(named if attacks else []):
            file = f"examples/{position}.npz"
            _write_examples(tmp_path / file, rng, channels)
            examples.append(Examples(architecture=name, seed=seeds[0], attack="pgd", file=file))
        results = StudyResults(
            study=builder.study,
            architectures=builder.specs,
            training=recipe("mini", "sound", "mnist5k"),
            class_names=[str(digit) for digit in range(10)],
            rows=builder.rows,
            histories=[_history(name, seed, rng) for name in named for seed in seeds] if histories else [],
            examples=examples,
            failures=list(failures),
            flags=list(flags),
            environment={"nasaudit": "0.1.0", "python": "3.11.9", "torch": "2.15.0", "device": "cpu"},
            seconds={f"train {name} (seed {seed})": 83.2 for name in named for seed in seeds},
        )
        return decide(results)

    return make
