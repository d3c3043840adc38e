"""Rows and results of studies that were made up, as a runner leaves them: for tests of what reads them. No torch."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.measure.catalogue import metric_of
from nasaudit.measure.estimate import Estimate
from nasaudit.measure.pooling import pool_seeds
from nasaudit.results.provenance import Provenance
from nasaudit.results.schema import Row, StudyResults
from nasaudit.spec.attacks import ATTACKS
from nasaudit.spec.recipes import recipe
from nasaudit.spec.study import StudySpec

ENVIRONMENT = {"nasaudit": "0.1.0", "python": "3.11.9", "torch": "2.15.0", "device": "cpu"}


def make_row(
    architecture: str,
    metric: str,
    estimate: Estimate | float,
    *,
    half: float = 0.0,
    n: int = 1,
    seed: int | Literal["all"] = "all",
    family: str | None = None,
    attack: str = "",
    group: str | None = None,
    data: str = "digits",
    scale: str = "mini",
    protocol: str = "sound",
    **setting: str,
) -> Row:
    """One row; all other keywords are its setting.

    Args:
        architecture: its name.
        metric: as the catalogue has it, or of a plugin.
        estimate: with its interval; or a value in the metric's unit.
        half: of a value, half the length of its interval.
        n: of a value.
        seed: of the training.
        family: None: that of the attack, or `training` without one.
        attack: its name.
        group: None: as in the catalogue of architectures, `nas` for others.
        data: name of the data set.
        scale: of the networks.
        protocol: of the study.
        setting: what the figure holds for.

    >>> row = make_row("resnet", "asr", 0.25, half=0.01, attack="pgd", epsilon="8/255")
    >>> row.family, row.group, row.low, row.unit, row.setting
    ('evasion', 'manual', 0.24, 'fraction', {'epsilon': '8/255'})
    """
    if columns := setting.keys() & set(Row.model_fields):
        raise TypeError(f"expected keys of a setting, got columns that an Estimate has: {sorted(columns)}")
    if not isinstance(estimate, Estimate):
        unit = metric_of(metric).unit
        estimate = Estimate(float(estimate), estimate - half, estimate + half, n, unit)
    if family is None:
        family = ATTACKS[attack].family if attack else "training"
    if group is None:
        group = CATALOGUE[architecture].group if architecture in CATALOGUE else "nas"
    return Row(
        architecture=architecture, group=group, data=data, scale=scale, seed=seed, protocol=protocol, family=family,
        attack=attack, setting=setting, metric=metric, value=estimate.value, low=estimate.low, high=estimate.high,
        n=estimate.n, unit=estimate.unit, bound=estimate.bound or "",
    )  # fmt: skip


def pooled_rows(architecture: str, metric: str, by_seed: Mapping[int, Estimate], **columns: Any) -> list[Row]:
    """A row for each seed, and the one that a study pools of them.

    Args:
        architecture: its name.
        metric: decides how seeds are pooled.
        by_seed: what each training measured.
        columns: as `make_row` takes them.
    """
    pooled = pool_seeds(metric_of(metric), list(by_seed.values()))
    rows = [
        make_row(architecture, metric, estimate, seed=seed, **columns) for seed, estimate in by_seed.items()
    ]
    return [*rows, make_row(architecture, metric, pooled, **columns)]


def make_results(
    study: StudySpec, rows: Iterable[Row] = (), *, shape: tuple[int, int, int] = (1, 8, 8), **fields: Any
) -> StudyResults:
    """The results of a study without verdicts; fields that are not given are empty, or as any study has them."""
    made: dict[str, Any] = {
        "architectures": [resolve(choice, study.scale, 10, shape) for choice in study.known],
        "training": recipe(study.scale, study.protocol, study.data.name, channels=1),
        "provenance": Provenance(data_sha256="0" * 64, indices={}, division="drawn", weights={}, given=[]),
        "class_names": [str(digit) for digit in range(10)],
        **{empty: [] for empty in ("histories", "examples", "failures", "flags")},
        "environment": ENVIRONMENT,
        "seconds": {},
    }
    return StudyResults(study=study, rows=list(rows), **{**made, **fields})
