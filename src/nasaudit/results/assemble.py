"""From records to StudyResults. Nothing is measured here; without torch, so that a report is quick."""

import os
import platform
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasaudit.data.catalogue import class_names
from nasaudit.errors import NasauditError
from nasaudit.measure.estimate import Measurement
from nasaudit.planning.needs import failed_need
from nasaudit.planning.plan import Plan
from nasaudit.plugins import OURS, source_sha256
from nasaudit.results.artefacts import outcomes, read_json, understood
from nasaudit.results.flags import Facts, raise_flags
from nasaudit.results.folder import EXAMPLES_FOLDER, StudyFolder
from nasaudit.results.large.lean import Lean
from nasaudit.results.large.records import OpenRecords
from nasaudit.results.pooled import Indices, derived
from nasaudit.results.provenance import PLUGIN, make_provenance, without_folders, without_places
from nasaudit.results.replicates import (
    Replicates,
    Seed,
    Subject,
    collect_replicates,
    distinguishing,
    measured_tasks,
    subject_of,
)
from nasaudit.results.schema import (
    Curve,
    Examples,
    Failure,
    History,
    Landscape,
    Pictures,
    Row,
    Searched,
    StudyResults,
)
from nasaudit.spec.named import foreign_code
from nasaudit.spec.tasks import Task, TrainTask
from nasaudit.store.artefacts import CURVES, EXAMPLES, HISTORY, LANDSCAPES, OUTCOMES, PICTURES
from nasaudit.store.entries import Known
from nasaudit.store.records import Record
from nasaudit.store.store import Store
from nasaudit.store.versions import versions

if TYPE_CHECKING:
    import pandas as pd

HISTORY_POINTS = 300

# Of so many trainings each has HISTORY_POINTS at most; of more of them each has fewer.
HISTORIES, FEWEST_POINTS = 100, 10

Opened = Mapping[str, tuple[Record, Path]]
Tasks = Mapping[str, list[Any]]  # by the name of an artefact, the measured tasks that have one


def assemble(
    planned: Plan, opened: Opened, records: Mapping[str, Known], common: Indices, downloads: Path
) -> StudyResults:
    """Make results of a study's records; nothing is decided yet.

    Args:
        planned: the study.
        opened: the successful records and their folders, by digest.
        records: by digest; tasks without one are those whose needs failed.
        common: source indices of the test images that every model gets right.
        downloads: folder of the downloaded data sets (the names of the classes are read there).
    """
    rows = make_rows(planned, opened, common)
    failures = [_without_folders(failure) for failure in find_failures(planned, records)]
    here = Path.cwd()
    tasks = by_artefact(planned, opened)
    told_apart = distinguishing(planned.study.attacks)
    points = max(FEWEST_POINTS, HISTORY_POINTS * HISTORIES // max(HISTORIES, len(tasks[HISTORY])))
    return StudyResults(
        study=without_places(planned.study, here),
        provenance=make_provenance(planned, records, downloads),
        architectures=[without_places(architecture, here) for architecture in planned.architectures],
        training=planned.training,
        class_names=list(class_names(planned.data, downloads)),
        rows=rows,
        histories=[_history(task, opened, points) for task in tasks[HISTORY]],
        examples=[example(task) for task in tasks[EXAMPLES]],
        curves=[curve for task in tasks[CURVES] for curve in _curves(task, opened, told_apart)],
        landscapes=[plane for task in tasks[LANDSCAPES] for plane in _planes(task, opened)],
        pictures=[Pictures(**_source(task, told_apart), file=_copy_name(task)) for task in tasks[PICTURES]],
        searches=_searches(planned),
        failures=failures,
        flags=raise_flags(Facts(planned, records, rows, failures, len(common))),
        environment=environment(planned, records),
        seconds={without_folders(record.label): round(record.seconds, 3) for record in records.values()},
    )


def _searches(planned: Plan) -> list[Searched]:
    searches = planned.searches
    return [
        Searched(
            architecture=name,
            search=found.search or name,
            genotype=found.genotype,
            provenance={key: without_folders(text) for key, text in found.provenance.items()},
            primitives=searches[name].space.primitives,
            trace=list(found.trace),
        )
        for name, found in planned.found
        if name in searches
    ]


def open_records(records: Mapping[str, Known], store: Store) -> Opened:
    """The successful records and the folders of their artefacts, by digest."""
    return OpenRecords(records, store.path)


def common_images(planned: Plan, opened: Opened) -> Indices:
    """Source indices, ascending, of the test images that every trained model gets right."""
    right = []
    for task in by_artefact(planned, opened)[OUTCOMES]:
        known = outcomes(opened[task.digest()][1] / OUTCOMES)
        right.append(known["index"][known["correct"]].astype(np.int64))
    return reduce(np.intersect1d, right) if right else np.empty(0, dtype=np.int64)


def make_rows(planned: Plan, opened: Opened, common: Indices) -> list[Row]:
    """All rows: architectures as asked; for each its experiments as planned; seeds, then the pooled ones."""
    extra, lean = distinguishing(planned.study.attacks), Lean()
    rows = []
    for replicates in collect_replicates(planned, opened):
        told_apart = extra.get(replicates.attack.digest(), {}) if replicates.attack else {}
        for seed, measurement in (*replicates.measurements(), *derived(replicates, common)):
            rows.append(lean(_row(planned, replicates, seed, measurement, told_apart)))
    return rows


def find_failures(planned: Plan, records: Mapping[str, Known]) -> Iterable[Failure]:
    """Tasks that failed, and those and the stages that could not go on because of it."""
    for task in planned.tasks:
        record = records.get(task.digest())
        need = failed_need(task, records)
        if record is not None and record.problem is not None:
            yield Failure(label=task.label(), digest=task.digest(), **record.problem.model_dump())
        elif record is None and need is not None:
            yield Failure(
                label=task.label(),
                digest=task.digest(),
                type="NeedFailed",
                message=f"needs {need.label()}, which failed",
                traceback="",
            )
    for label, problem in planned.blocked:
        yield Failure(label=label, digest="", **problem.model_dump())


def example(task: Task) -> Examples:
    """Where a task's adversarial examples are copied to."""
    subject = _attacked(task)
    return Examples(
        architecture=subject.architecture.name,
        seed=int(subject.seed),
        attack=subject.attack.name if subject.attack else "",
        file=_copy_name(task),
    )


def copy_examples(planned: Plan, records: Mapping[str, Known], store: Store, folder: StudyFolder) -> None:
    """Copy examples and pictures into the study's folder, so that it can be moved without its store."""
    tasks = by_artefact(planned, open_records(records, store))
    for artefact in (EXAMPLES, PICTURES):
        for task in tasks[artefact]:
            folder.copy(store.path(task.digest()) / artefact, _copy_name(task))


def _without_folders(failure: Failure) -> Failure:
    told = {field: without_folders(getattr(failure, field)) for field in ("label", "message", "traceback")}
    return failure.model_copy(update=told)


def environment(planned: Plan, records: Mapping[str, Known]) -> dict[str, str]:
    """What the results were made with: versions, the code of plugins, the machine, and when the last task ended."""
    plugins = {name: code for task in planned.tasks for name, code in foreign_code(task).items()}
    devices = sorted(
        {record.versions["device"] for record in records.values() if "device" in record.versions}
    )
    return {
        **versions(),
        "code": f"sha256 {source_sha256(OURS)}",
        **{f"{PLUGIN}{name}": code for name, code in sorted(plugins.items())},
        "finished": max((record.finished for record in records.values()), default=""),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": str(os.cpu_count() or 1),
        "devices": ", ".join(device for device in devices if device),
    }


def to_frame(results: StudyResults) -> "pd.DataFrame":
    """The rows as a tidy frame; each key of the settings becomes a column `setting.key` beside `setting`."""
    import pandas as pd

    from nasaudit.results.base import format_setting
    from nasaudit.results.schema import COLUMNS

    keys = sorted({key for row in results.rows for key in row.setting})
    values = [
        {**dict(row), "setting": format_setting(row.setting)}
        | {f"setting.{key}": row.setting.get(key) for key in keys}
        for row in results.rows
    ]
    return pd.DataFrame(values, columns=[*COLUMNS, *(f"setting.{key}" for key in keys)])


def _row(
    planned: Plan, replicates: Replicates, seed: Seed, measurement: Measurement, told_apart: Mapping[str, str]
) -> Row:
    estimate = measurement.estimate
    return Row(
        architecture=replicates.architecture.name,
        group=replicates.architecture.group,
        data=planned.data.name,
        scale=planned.study.scale,
        seed=seed,
        protocol=planned.study.protocol,
        family=replicates.family,
        attack=replicates.attack.name if replicates.attack else "",
        setting={**dict(measurement.setting), **told_apart},
        metric=measurement.metric,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        unit=estimate.unit,
        bound=estimate.bound or "",
    )


def by_artefact(planned: Plan, opened: Opened) -> Tasks:
    """The measured tasks, in the plan's order, by the names of the artefacts that their records have."""
    tasks: dict[str, list[Any]] = defaultdict(list)
    for task, _ in measured_tasks(planned):
        digest = task.digest()
        if digest in opened:
            known = (
                opened.artefacts(digest) if isinstance(opened, OpenRecords) else opened[digest][0].artefacts
            )
            for name in known:
                tasks[name].append(task)
    return tasks


def _copy_name(task: Task) -> str:
    """Where in the study's folder a task's examples or pictures are copied to."""
    return f"{EXAMPLES_FOLDER}/{task.digest()}.npz"


def _attacked(task: Task) -> Subject:
    subject = subject_of(task)
    if subject is None:
        raise NasauditError(f"{task.label()} measures nothing that is shown")
    return subject


def _source(task: Task, told_apart: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Which attack on which victim: what curves and pictures are told apart by."""
    subject = _attacked(task)
    attack = subject.attack
    return {
        "architecture": subject.architecture.name,
        "seed": int(subject.seed),
        "family": subject.family,
        "attack": attack.name if attack else "",
        "setting": dict(told_apart.get(attack.digest(), {})) if attack else {},
    }


def _curves(task: Task, opened: Opened, told_apart: Mapping[str, Mapping[str, str]]) -> Iterator[Curve]:
    source = _source(task, told_apart)
    path = opened[task.digest()][1] / CURVES
    with understood(path):
        for curve in read_json(path):
            setting = {**curve.get("setting", {}), **source["setting"]}
            yield Curve(**{**source, "setting": setting}, name=curve["name"], x=curve["x"], y=curve["y"])


def _planes(task: Task, opened: Opened) -> Iterator[Landscape]:
    subject = _attacked(task)
    path = opened[task.digest()][1] / LANDSCAPES
    with understood(path):
        for plane in read_json(path):
            yield Landscape(architecture=subject.architecture.name, seed=int(subject.seed), **plane)


def _history(task: TrainTask, opened: Opened, points: int) -> History:
    """A training's history with neighbouring steps averaged, so that a picture of it stays small."""
    path = opened[task.digest()][1] / HISTORY
    with understood(path):
        return _thinned(task, read_json(path), points)


def _thinned(task: TrainTask, content: Mapping[str, Any], points: int) -> History:
    steps = content["step"]
    parts = np.array_split(np.arange(len(steps)), min(points, len(steps)) or 1)
    parts = [part for part in parts if len(part)]
    return History(
        architecture=task.architecture.name,
        seed=task.seed,
        images_per_step=content["images_per_step"],
        step=[steps[part[-1]] for part in parts],
        loss=[float(np.mean([content["loss"][k] for k in part])) for part in parts],
        accuracy=[float(np.mean([content["accuracy"][k] for k in part])) for part in parts],
    )
