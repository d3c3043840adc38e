"""A study's results as the runner leaves them, made up: numbers that look real and are known to the tests."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nasaudit.arch.catalogue import resolve
from nasaudit.measure.estimate import Estimate
from nasaudit.measure.proportion import proportion
from nasaudit.results.schema import Examples, Failure, Flag, History, Row, StudyResults
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import PgdSpec
from nasaudit.spec.recipes import recipe
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.units import format_epsilon
from nasaudit.testing.rows import make_results, make_row
from nasaudit.verdicts.decide import decide

MakeStudy = Callable[..., StudyResults]
IMAGES = 500
# Epsilon, in grey levels, at which half of the images fall; clean accuracy.
CHARACTER = {"darts": (8.6, 0.976), "resnet": (10.4, 0.969)}


def _rows(spec: ArchSpec, study: StudySpec, half: float, accuracy: float) -> Iterator[Row]:
    """What a study measured of one architecture: of each seed, and pooled."""
    columns = {"data": study.data.name, "scale": study.scale, "protocol": study.protocol, "group": spec.group}
    shape = {**columns, "family": "topology"}
    yield make_row(spec.name, "parameters", 169_402 if spec.genotype else 174_970, **shape)
    yield make_row(spec.name, "flops", 14_120_448, **shape)
    for cell, values in (("normal", (2, 3.5, 1, 0.125)), ("reduction", (3, 2.5, 3, 0.375))):
        for metric, value in zip(("depth", "width", "skips", "skip_share"), values, strict=True):
            if spec.genotype is not None:
                yield make_row(spec.name, metric, value, cell=cell, **shape)
    for seed in (*study.seeds, "all"):
        runs = len(study.seeds) if seed == "all" else 1
        row = partial(make_row, spec.name, seed=seed, **columns)
        right = accuracy - (0.0 if seed == "all" else 0.004 * seed)
        for metric, n, setting in (
            ("clean_accuracy", 1000, {"split": "test"}),
            ("validation_accuracy", 250, {}),
            ("train_accuracy", 3000, {}),
        ):
            yield row(metric, proportion(round(right * n * runs), n * runs), **setting)
        yield row("steps_to_accuracy", 210, half=20, n=runs, family="convergence", accuracy="0.9")
        yield row("loss_area", 0.31, half=0.02, n=runs, family="convergence")
        for attack in study.attacks:
            falls = half * (1.5 if attack.goal == "least_likely" else 1)
            yield from _evasion(
                partial(row, attack="pgd", norm=attack.norm, goal=attack.goal), attack, falls, runs
            )


def _evasion(row: Callable[..., Row], attack: PgdSpec, half: float, runs: int) -> Iterator[Row]:
    fallen = [1 / (1 + np.exp(-(255 * epsilon - half) / 1.7)) for epsilon in attack.epsilons]
    for images, n in (("all", IMAGES), ("correct", IMAGES - 14), ("common", IMAGES - 22)):
        for epsilon, share in zip(attack.epsilons, fallen, strict=True):
            at = {"epsilon": format_epsilon(epsilon), "images": images}
            yield row("asr", proportion(round(share * n * runs), n * runs), **at)
            if images == "all":
                yield row("robust_accuracy", proportion(round((1 - share) * n * runs), n * runs), **at)
        area = float(np.mean(fallen))
        yield row(
            "curve_area",
            Estimate(area, max(0.0, area - 0.006), area + 0.006, n * runs, "fraction"),
            images=images,
        )
        last = round(255 * attack.epsilons[-1])
        ends = (half, half - 0.3, half + 0.4) if half <= last else (last, last, last)
        median = Estimate(
            *(end / 255 for end in ends), n * runs, "pixel fraction", None if half <= last else "lower"
        )
        yield row("median_minimal_epsilon", median, images=images)
    yield row("mean_steps", 7.2, half=0.2, n=IMAGES * runs)
    yield row("zero_gradient_share", proportion(0, IMAGES * runs))


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


def made_study(
    folder: Path,
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
    """Results, with the example files in `folder`."""
    rng = np.random.default_rng(7)
    study = StudySpec(
        name="darts against resnet",
        architectures=tuple(ArchChoice(name=name) for name in architectures),
        seeds=tuple(seeds),
        attacks=(PgdSpec(), PgdSpec(goal="least_likely")) if attacks else (),
        protocol=protocol,
    )
    rows, specs = list[Row](), []
    for position, name in enumerate(architectures):
        spec = resolve(ArchChoice(name=name), "mini", 10, (3, 28, 28))
        if renamed and name in renamed:
            spec = spec.model_copy(update={"name": renamed[name], "group": "custom"})
        specs.append(spec)
        if name not in without_results:
            usual = (6.5 + 0.4 * position, 0.975 - 0.001 * position)
            rows += _rows(spec, study, *character.get(name, usual))
    named = [spec.name for spec in specs]
    examples = []
    for position, name in enumerate(named if attacks else []):
        file = f"examples/{position}.npz"
        _write_examples(folder / file, rng, channels)
        examples.append(Examples(architecture=name, seed=seeds[0], attack="pgd", file=file))
    results = make_results(
        study,
        rows,
        architectures=specs,
        training=recipe("mini", "sound", "mnist5k", 1),
        histories=[_history(name, seed, rng) for name in named for seed in seeds] if histories else [],
        examples=examples,
        failures=list(failures),
        flags=list(flags),
        seconds={f"train {name} (seed {seed})": 83.2 for name in named for seed in seeds},
    )
    return decide(results)


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Builds results, with the example files in `tmp_path`."""
    return partial(made_study, tmp_path)
