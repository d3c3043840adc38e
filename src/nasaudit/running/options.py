"""How a study is run: all of it that is no part of the study."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from nasaudit.errors import SpecError
from nasaudit.running.budget import Budget
from nasaudit.running.display.observer import Observer
from nasaudit.running.executors.base import Cluster

DOWNLOADS = Path("data")
Mode = Literal["cached", "retry", "force", "read-only"]
LEAST_MEMORY = 10**9
# What is of account to a cluster alone, and what it is where nothing is said.
CLUSTER_FIELDS = {"address": "", "task_gpus": None, "gpu_memory": None}


@dataclass(frozen=True)
class RunOptions:
    """How a study is run; none of it changes a result.

    Attributes:
        workers: processes side by side; None: one for each core, or for each GPU.
        device: "auto", "cpu", "cuda" or "cuda:K".
        executor: who does the tasks: `processes`, a worker for each device; `serial`, one after the other in this
            process; `ray`, the nodes of a cluster; or one that a plugin brings.
        address: of the cluster of `ray`; "": what RAY_ADDRESS says, or a cluster of this machine alone.
        task_gpus: share of a GPU that a task takes, by which `ray` packs them; "auto": by the memory that each is
            expected to need; None: a whole one, if there are any.
        gpu_memory: bytes of a GPU, for "auto"; None: the cluster is asked.
        task_memory: bytes of memory that a task may take. `processes`: one that wants more fails (on Linux); `ray`:
            no more tasks are placed on a node than fit. None: no limit.
        mode: `cached` takes all records that exist, also those of failures; `retry` does failed tasks
            again; `force` does all tasks again; `read-only` does and writes nothing.
        store: folder of the records, or a URL such as `s3://BUCKET/FOLDER`; None: `store` in the study's own folder.
            Studies that share one share trained victims.
        download: fetch a data set that is not there, where that is possible.
        time_budget: seconds after which no more tasks are begun, nor any before that would not end in time; what a
            run within a budget leaves is done by the next one. None: no limit.
        max_tasks: so many are begun; None: no limit. Within either budget what can be compared soonest comes first.
        task_timeout: seconds that a task may take, the import of torch included; it is then ended with all that it
            started, and stored as a failure. None: as long as it takes. Not with `serial`.
        observer: who is told what happens; None: bars on a terminal's stderr, nobody elsewhere.
        downloads: folder of the downloaded data sets.
        command: as it was typed, for the report; "" where there was none.
        redo: names of attacks that are done again, without the trainings of their victims.

    Raises:
        SpecError: there is no such mode, a time or number is not above 0, or something is said of a cluster and the
            executor has none.
    """

    workers: int | None = None
    device: str = "auto"
    executor: str = "processes"
    address: str = ""
    task_gpus: float | Literal["auto"] | None = None
    gpu_memory: int | None = None
    task_memory: int | None = None
    mode: Mode = "cached"
    store: str | Path | None = None
    download: bool = False
    task_timeout: float | None = None
    time_budget: float | None = None
    max_tasks: int | None = None
    observer: Observer | None = None
    downloads: Path = DOWNLOADS
    command: str = ""
    redo: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise SpecError("mode", f"one of {', '.join(get_args(Mode))}", self.mode)
        for field in ("task_timeout", "time_budget"):
            seconds = getattr(self, field)
            if seconds is not None and not 0 < seconds < math.inf:
                raise SpecError(field, "seconds above 0", seconds)
        for field, unset in CLUSTER_FIELDS.items():
            if getattr(self, field) != unset and self.executor in ("processes", "serial"):
                raise SpecError(field, "an executor that has a cluster (--executor ray)", self.executor)
        if isinstance(self.task_gpus, str):
            if self.task_gpus != "auto":
                raise SpecError("task_gpus", "a share of a GPU, or auto", self.task_gpus)
        elif self.task_gpus is not None and not 0 <= self.task_gpus < math.inf:
            raise SpecError("task_gpus", "a share of a GPU, 0 or more", self.task_gpus)
        if self.gpu_memory is not None and (self.task_gpus != "auto" or self.gpu_memory < LEAST_MEMORY):
            raise SpecError("gpu_memory", "1 GB or more, beside task_gpus: auto", self.gpu_memory)
        if self.task_memory is not None and self.task_memory < LEAST_MEMORY:
            raise SpecError("task_memory", "1 GB or more, which torch itself takes", self.task_memory)
        if self.task_memory is not None and self.executor == "serial":
            raise SpecError("task_memory", "an executor with processes of its own", self.executor)
        if self.max_tasks is not None and self.max_tasks < 1:
            raise SpecError("max_tasks", "at least 1", self.max_tasks)

    @property
    def cluster(self) -> Cluster:
        """What is said of a cluster."""
        return Cluster(
            address=self.address,
            device=self.device,
            workers=self.workers,
            gpus=self.task_gpus,
            gpu_memory=self.gpu_memory,
            memory=self.task_memory,
        )

    @property
    def budget(self) -> Budget | None:
        """What may be begun from now on; None: all."""
        if self.time_budget is None and self.max_tasks is None:
            return None
        return Budget(self.time_budget or math.inf, self.max_tasks or math.inf)


DEFAULT_OPTIONS = RunOptions()
