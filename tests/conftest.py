"""Shared by all tests: one thread for torch, since two pytest workers run side by side."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Worker processes import the fake tasks by name, as they would a plugin's.
sys.path.insert(0, str(Path(__file__).parent / "running"))


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[Any, str, str]]:
    """Run one command in an empty folder; (exit code, stdout, stderr)."""
    from nasaudit.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["nasaudit", *map(str, words)])
        code: Any = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def pgd_study() -> Callable[..., Any]:
    """A finished study of made-up numbers, for what reads two studies: see `_pgd_study`."""
    return _pgd_study


def _pgd_study(
    rates: Mapping[str, float] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    spread: float = 0.02,
    images: int = 500,
    bounded: Sequence[str] = (),
    attacks: Sequence[Any] | None = None,
    failed: int = 0,
    **study: Any,
) -> Any:
    """Rows of PGD and of clean accuracy, pooled as studies pool them.

    Args:
        rates: for each architecture the success of PGD at 2/255 on its own images, the mean over seeds.
        seeds: of the trainings; their rates lie `spread` apart.
        spread: see above.
        images: behind every share of one seed.
        bounded: architectures whose median epsilon is a lower bound.
        attacks: the specs; None: PGD with its defaults.
        failed: how many tasks failed.
        study: further fields of StudySpec.
    """
    from nasaudit.arch.catalogue import resolve
    from nasaudit.measure.catalogue import metric_of
    from nasaudit.measure.estimate import Estimate, exact
    from nasaudit.measure.pooling import pool_seeds
    from nasaudit.measure.proportion import proportion
    from nasaudit.results.schema import Failure, Row, StudyResults
    from nasaudit.spec.attacks import PgdSpec
    from nasaudit.spec.recipes import recipe
    from nasaudit.spec.study import ArchChoice, StudySpec
    from nasaudit.verdicts.decide import decide

    rates = {"darts": 0.3, "resnet": 0.2} if rates is None else rates
    spec = StudySpec.parse(
        {
            "architectures": [ArchChoice(name=name) for name in rates],
            "data": "digits",
            "seeds": tuple(seeds),
            "attacks": (PgdSpec(),) if attacks is None else tuple(attacks),
            **study,
        }
    )
    specs = [resolve(ArchChoice(name=name), spec.scale, 10, (1, 8, 8)) for name in rates]
    rows: list[Row] = []

    def add(of: Any, family: str, attack: str, metric: str, setting: dict[str, str], by_seed: Any) -> None:
        fields = {
            "architecture": of.name, "group": of.group, "data": spec.data.name, "scale": spec.scale,
            "protocol": spec.protocol, "family": family, "attack": attack, "setting": setting, "metric": metric,
        }  # fmt: skip
        pooled = pool_seeds(metric_of(metric), list(by_seed.values()))
        for seed, one in [*by_seed.items(), ("all", pooled)]:
            rows.append(
                Row(
                    seed=seed,
                    **fields,
                    **{k: getattr(one, k) for k in ("value", "low", "high", "n", "unit")},
                    bound=one.bound or "",
                )
            )

    for of, rate in zip(specs, rates.values(), strict=True):
        at = {seed: rate + spread * (place - (len(seeds) - 1) / 2) for place, seed in enumerate(seeds)}
        right = {
            seed: proportion(round(0.95 * images - 10 * place), images) for place, seed in enumerate(seeds)
        }
        add(of, "training", "", "clean_accuracy", {"split": "test"}, right)
        if of.genotype is not None:
            rows.append(rows[0].model_copy(update={
                "architecture": of.name, "seed": "all", "family": "topology", "metric": "depth", "unit": "edges",
                "setting": {"cell": "normal"}, **dict.fromkeys(("value", "low", "high"), 3.0), "n": 1,
            }))  # fmt: skip
        for attack in spec.attacks:
            where = {"norm": attack.norm, "goal": attack.goal}
            for text, factor in (("2/255", 1.0), ("4/255", 1.5), ("8/255", 2.0)):
                share = {
                    seed: proportion(round(min(1, p * factor) * images), images) for seed, p in at.items()
                }
                for counted in ("all", "correct", "common"):
                    add(
                        of,
                        "evasion",
                        attack.name,
                        "asr",
                        {**where, "epsilon": text, "images": counted},
                        share,
                    )
                held = {
                    seed: proportion(images - round(one.value * images), images)
                    for seed, one in share.items()
                }
                add(
                    of,
                    "evasion",
                    attack.name,
                    "robust_accuracy",
                    {**where, "epsilon": text, "images": "all"},
                    held,
                )
            for counted in ("correct", "common"):
                area = {seed: Estimate(p, p - 0.02, p + 0.02, images, "fraction") for seed, p in at.items()}
                add(of, "evasion", attack.name, "curve_area", {**where, "images": counted}, area)
                bound = "lower" if of.name in bounded else None
                half = {seed: exact((1 - p) / 16, "pixel fraction", images, bound) for seed, p in at.items()}
                add(
                    of,
                    "evasion",
                    attack.name,
                    "median_minimal_epsilon",
                    {**where, "images": counted},
                    half,
                )
    problem = {"digest": "0", "type": "NonFiniteError", "message": "NaN", "traceback": ""}
    results = StudyResults(
        study=spec,
        architectures=specs,
        training=recipe(spec.scale, spec.protocol, "digits"),
        class_names=[str(k) for k in range(10)],
        rows=rows,
        histories=[],
        examples=[],
        failures=[Failure(label=f"train darts (seed {k})", **problem) for k in range(failed)],
        flags=[],
        environment={"nasaudit": "0.1.0", "torch": "2.6"},
        seconds={},
    )
    return decide(results)
