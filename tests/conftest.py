"""Shared by all tests: one thread for torch, since two pytest workers run side by side."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.browser import CHROMIUM, QUIET

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Worker processes import the fake tasks by name, as they would a plugin's.
sys.path.insert(0, str(Path(__file__).parent / "running"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser of playwright's, without traffic of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield launched
        launched.close()


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
    from nasaudit.measure.estimate import Estimate, exact
    from nasaudit.measure.proportion import proportion
    from nasaudit.results.schema import Failure
    from nasaudit.spec.attacks import PgdSpec
    from nasaudit.spec.study import ArchChoice, StudySpec
    from nasaudit.testing.rows import make_results, make_row, pooled_rows
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
    problem = {"digest": "0", "type": "NonFiniteError", "message": "NaN", "traceback": ""}
    failures = [Failure(label=f"train darts (seed {k})", **problem) for k in range(failed)]
    results = make_results(spec, failures=failures, environment={"nasaudit": "0.1.0", "torch": "2.6"})
    common = {"data": spec.data.name, "scale": spec.scale, "protocol": spec.protocol}
    rows = []
    for of, rate in zip(results.architectures, rates.values(), strict=True):
        at = {seed: rate + spread * (place - (len(seeds) - 1) / 2) for place, seed in enumerate(seeds)}
        right = {
            seed: proportion(round(0.95 * images - 10 * place), images) for place, seed in enumerate(seeds)
        }
        rows += pooled_rows(of.name, "clean_accuracy", right, split="test", **common)
        if of.genotype is not None:
            rows.append(make_row(of.name, "depth", 3, family="topology", cell="normal", **common))
        for attack in spec.attacks:
            where = {"attack": attack.name, "norm": attack.norm, "goal": attack.goal, **common}
            for text, factor in (("2/255", 1.0), ("4/255", 1.5), ("8/255", 2.0)):
                fallen = {seed: round(min(1, p * factor) * images) for seed, p in at.items()}
                share = {seed: proportion(count, images) for seed, count in fallen.items()}
                held = {seed: proportion(images - count, images) for seed, count in fallen.items()}
                for counted in ("all", "correct", "common"):
                    rows += pooled_rows(of.name, "asr", share, epsilon=text, images=counted, **where)
                rows += pooled_rows(of.name, "robust_accuracy", held, epsilon=text, images="all", **where)
            area = {seed: Estimate(p, p - 0.02, p + 0.02, images, "fraction") for seed, p in at.items()}
            bound = "lower" if of.name in bounded else None
            half = {seed: exact((1 - p) / 16, "pixel fraction", images, bound) for seed, p in at.items()}
            for counted in ("correct", "common"):
                rows += pooled_rows(of.name, "curve_area", area, images=counted, **where)
                rows += pooled_rows(of.name, "median_minimal_epsilon", half, images=counted, **where)
    return decide(results.model_copy(update={"rows": rows}))
