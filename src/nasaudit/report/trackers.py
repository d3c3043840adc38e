"""A study's figures in MLflow and Weights & Biases, by their own libraries: an architecture a run.

W&B is written offline, to be sent by `wandb sync`; MLflow is asked only where the URI says so.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from nasaudit.errors import InputError
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.format import first_up
from nasaudit.results.folder import RESULTS_FILE, STUDY_FILE, TABLE_FILE
from nasaudit.results.schema import Row, StudyResults

PROJECT = "nasaudit"
FILES = (RESULTS_FILE, TABLE_FILE, STUDY_FILE, "report.html")
BATCH = 900  # metrics; MLflow takes at most 1,000 at once
# What MLflow allows in the name of a metric, less the signs that stand for something else in ours.
UNUSUAL = re.compile(r"[^\w./ -]")


def metric_name(row: Row) -> str:
    """Attack or family, metric and setting, with signs that both trackers take.

    >>> from nasaudit.testing.rows import make_row
    >>> metric_name(make_row("darts", "asr", 0.5, family="evasion", attack="pgd", epsilon="8/255", images="all"))
    'evasion/pgd/asr/epsilon 8.255 images all'
    """
    setting = " ".join(f"{key} {text.replace('/', '.')}" for key, text in sorted(row.setting.items()))
    parts = (row.family, row.attack, row.metric, setting)
    return UNUSUAL.sub("_", "/".join(part for part in parts if part))[:240]


def metrics(evidence: Evidence, subject: Subject) -> Mapping[str, float]:
    """Each figure over all seeds: `/value`, `/low` and `/high` of its interval, and `/n`, what it rests on."""
    return dict(_metrics(evidence, subject))


def params(evidence: Evidence, subject: Subject) -> Mapping[str, str]:
    """What the figures are of: data, scale, protocol, seeds, levels of the threats, hashes and versions."""
    results = evidence.results
    levels = {
        f"level {threat.family}": figure.level
        for threat in results.threats
        for figure in threat.figures
        if figure.architecture == subject.name
    }
    return {
        "architecture": subject.name,
        "group": subject.spec.group,
        "data": results.study.data.label,
        "scale": results.study.scale,
        "protocol": results.study.protocol,
        "seeds": ", ".join(map(str, results.study.seeds)),
        **levels,
        "data sha256": results.provenance.data_sha256,
        "nasaudit": results.environment.get("nasaudit", ""),
        "code": results.environment.get("code", ""),
    }


def to_mlflow(results: StudyResults, folder: Path, target: str) -> list[str]:
    """A run an architecture in the experiment `nasaudit`, with results, table, study and report as artefacts.

    Args:
        results: of the study.
        folder: of the study.
        target: a tracking URI, or a folder.

    Returns:
        The ids of the runs.

    Raises:
        InputError: MLflow is not installed, or does not take the URI.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.entities import Metric
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise InputError("--mlflow needs MLflow: pip install 'nasaudit[mlflow]'") from error

    uri = target
    if "://" not in target and target != "databricks":
        uri = Path(target).absolute().as_uri()
        # MLflow asks for this word before it writes to a folder; who names a folder has said it.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    evidence, runs = Evidence(results, folder), []
    try:
        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name(PROJECT)
        identity = client.create_experiment(PROJECT) if experiment is None else experiment.experiment_id
        for subject in evidence.subjects:
            run = client.create_run(identity, run_name=_run_name(results, subject)).info.run_id
            for key, text in params(evidence, subject).items():
                client.log_param(run, key, text[:6000])
            logged = [Metric(key, value, 0, 0) for key, value in metrics(evidence, subject).items()]
            for start in range(0, len(logged), BATCH):
                client.log_batch(run, metrics=logged[start : start + BATCH])
            for name in FILES:
                if (folder / name).is_file():
                    client.log_artifact(run, str(folder / name))
            client.set_terminated(run)
            runs.append(run)
    except MlflowException as error:
        raise InputError(f"--mlflow {target}: {first_up(str(error).splitlines()[0])}") from error
    return runs


def to_wandb(results: StudyResults, folder: Path, target: Path) -> list[Path]:
    """An offline run an architecture in the project `nasaudit`; `wandb sync` sends them.

    Args:
        results: of the study.
        folder: of the study.
        target: folder under which W&B makes its own.

    Returns:
        The folders of the runs.

    Raises:
        InputError: wandb is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise InputError("--wandb needs wandb: pip install 'nasaudit[wandb]'") from error

    target.mkdir(parents=True, exist_ok=True)
    evidence, folders = Evidence(results, folder), []
    quiet = wandb.Settings(
        silent=True, disable_git=True, x_disable_stats=True, x_disable_meta=True, console="off"
    )
    for subject in evidence.subjects:
        run = wandb.init(
            mode="offline",
            project=PROJECT,
            dir=str(target),
            name=_run_name(results, subject),
            config=dict(params(evidence, subject)),
            reinit="create_new",
            settings=quiet,
        )
        run.summary.update(dict(metrics(evidence, subject)))
        artefact = wandb.Artifact("study", type="results")
        for name in FILES:
            if (folder / name).is_file():
                artefact.add_file(str(folder / name))
        run.log_artifact(artefact)
        folders.append(Path(run.dir).parent)
        run.finish()
    return folders


def _run_name(results: StudyResults, subject: Subject) -> str:
    return f"{results.study.name}: {subject.title}"


def _metrics(evidence: Evidence, subject: Subject) -> Iterator[tuple[str, float]]:
    alone = len(evidence.results.study.seeds) == 1
    for row in evidence.results.rows:
        if row.architecture != subject.name or not (alone or row.seed == "all"):
            continue
        name = metric_name(row)
        yield from (
            (f"{name}/value", row.value),
            (f"{name}/low", row.low),
            (f"{name}/high", row.high),
            (f"{name}/n", row.n),
        )
