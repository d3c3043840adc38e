"""Every metric is declared, and only there: what the code measures, and where tables of metrics stand."""

import ast
import doctest
from pathlib import Path

import numpy as np
import pytest

import nasaudit
from nasaudit.analysis.convergence.speed import convergence
from nasaudit.analysis.gradients.variance import BatchGradients, gradient_measurements
from nasaudit.attacks.backdoor.measures import Predictions, backdoor_measurements
from nasaudit.attacks.evasion.measures import curve_measurements, effort_measurements
from nasaudit.attacks.extraction.measures import likeness
from nasaudit.attacks.poisoning.measures import (
    accuracy_measurements,
    matching_measurements,
    target_measurements,
)
from nasaudit.measure import catalogue
from nasaudit.measure.catalogue import METRICS, Metric, metric_of
from nasaudit.measure.estimate import Estimate, Measurement
from nasaudit.measure.pooling import pool_proportions, pool_seeds, pool_values
from nasaudit.spec.analyses import ConvergenceSpec
from nasaudit.spec.attacks import SquareSpec

SOURCE = Path(nasaudit.__file__).parent
MODULES = {
    path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in SOURCE.rglob("*.py")
}
DECLARED = set(METRICS)
MEASURING = ("attacks/", "analysis/", "training/")  # rooms in which something is measured


def texts(node: ast.AST) -> set[str]:
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def names_of_measurements(module: ast.AST) -> list[ast.expr]:
    """What stands where a Measurement has its metric."""
    return [
        node.args[0]
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Measurement"
    ]


def test_what_is_measured_is_declared() -> None:
    literal = {
        name.value
        for path, module in MODULES.items()
        if path.startswith((*MEASURING, "results/"))  # toys for tests are no metrics
        for name in names_of_measurements(module)
        if isinstance(name, ast.Constant)
    }
    assert len(literal) > 30
    assert not literal - DECLARED


def test_what_is_declared_is_measured() -> None:
    """Also those whose measurement takes its name from a variable: they are spelled in its module."""
    spelled: set[str] = set()
    for path, module in MODULES.items():
        if path.startswith(MEASURING) and names_of_measurements(module):
            spelled |= texts(module)
    assert not DECLARED - spelled


def measured() -> list[Measurement]:
    """What functions that need no network say of a few made-up outcomes."""
    right, wrong = np.array([True, True, False, True]), np.array([True, False, False, True])
    classes, shares = np.array([0, 1, 2, 1]), np.full((4, 3), 1 / 3)
    spec, epsilons = SquareSpec(epsilons=(8 / 255,)), np.array([8 / 255, 8 / 255, 0.0, np.inf])
    steps = np.array([3, 2, 0, -1])
    taken = Predictions(classes, classes[::-1].copy())
    rows = np.random.default_rng(0).normal(1.0, 1.0, (5, 7))
    return [
        *curve_measurements(spec, epsilons, steps, right, steps_of_failure=9),
        *effort_measurements(spec, 8 / 255, steps, steps, right),
        *backdoor_measurements(classes, 0, taken, taken, paper_rule=True),
        *accuracy_measurements(right, {0.1: wrong, 0.5: wrong}),
        *target_measurements(0.1, shares, shares, classes),
        *matching_measurements(0.1, shares[0], shares[0]),
        *likeness(shares, shares, classes, ()),
        *convergence(ConvergenceSpec(), [1.0, 0.5], [0.2, 0.6], images_per_step=64),
        *gradient_measurements(BatchGradients({"all": rows @ rows.T}, 7), "initial"),
    ]


def test_a_metric_is_measured_in_the_unit_that_it_is_declared_with() -> None:
    units = {(measurement.metric, measurement.estimate.unit) for measurement in measured()}
    assert len(units) >= 24
    assert {(name, METRICS[name].unit) for name, _ in units} == units


def keys(node: ast.AST) -> list[ast.expr | None]:
    if isinstance(node, ast.Dict):
        return list(node.keys)
    return list(node.elts) if isinstance(node, ast.Set) else []


def test_no_other_module_knows_what_holds_for_which_metrics() -> None:
    """A mapping or a set whose keys are metrics is a table of a property; a list of what is shown is none.

    Where something is measured it is one of estimates, so these rooms are left out.
    """
    tables = [
        f"{path}:{node.lineno}"
        for path, module in MODULES.items()
        for node in ast.walk(module)
        if not path.startswith(("measure/catalogue", *MEASURING))
        and len(keys(node)) > 1
        and all(isinstance(key, ast.Constant) and key.value in DECLARED for key in keys(node))
    ]
    assert tables == []


def test_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(catalogue)
    assert outcome.attempted >= 2
    assert outcome.failed == 0


def test_a_metric_that_nobody_declared_is_shown_by_its_unit_and_worse_in_no_direction() -> None:
    assert metric_of("smell", "fraction") == Metric("smell", "smell", "fraction", shown="percent")
    assert metric_of("smell", "sniffs").shown == "significant"
    assert metric_of("smell").worse is None


def test_a_plugin_declares_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    smell = Metric("smell", "how it smells", "sniffs", worse="higher", limits=(0.0, 10.0))
    monkeypatch.setitem(METRICS._items, "smell", smell)
    monkeypatch.setitem(METRICS._canonical, "smell", "smell")
    assert catalogue.worse_direction("smell") == "higher"
    pooled = pool_seeds(metric_of("smell"), [Estimate(9.9, 9.0, 10.0, 5, "sniffs")] * 3)
    assert pooled.high == 10.0


def test_seeds_are_pooled_as_the_metric_says() -> None:
    seeds = [Estimate(0.5, 0.4, 0.6, 100, "fraction"), Estimate(0.7, 0.6, 0.8, 100, "fraction")]
    assert pool_seeds(METRICS["asr"], seeds) == pool_proportions(seeds)
    assert pool_seeds(METRICS["cad"], seeds) == pool_values(seeds) != pool_proportions(seeds)


def test_rates_stay_within_their_limits() -> None:
    sure = [Estimate(value, 0.9, 1.0, 100, "auc") for value in (0.95, 1.0)]
    assert pool_values(sure).high > 1
    assert pool_seeds(METRICS["auc"], sure).high == 1


def test_a_mean_with_a_lower_bound_among_its_seeds_is_one() -> None:
    known, least = Estimate(10, 10, 10, 1, "steps"), Estimate(11, 11, 11, 1, "steps", "lower")
    steps = METRICS["steps_to_accuracy"]
    assert pool_seeds(steps, [known, least]) == Estimate(10.5, 10, 11, 2, "steps", "lower")
    assert pool_seeds(steps, [known, known]).bound is None
    assert pool_seeds(steps, [least]) == least
