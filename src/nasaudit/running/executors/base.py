"""What runs a task: the protocol, and the few words that an executor and the runner exchange.

An executor decides nothing: the order, the retries and the records are the runner's. It needs no more than
to hand a Job to a process somewhere, and to say what became of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record


@dataclass(frozen=True)
class Job:
    """A task and the empty folder that its artefacts go to."""

    task: Task
    folder: Path

    @property
    def digest(self) -> str:
        """The task's."""
        return self.task.digest()


@dataclass(frozen=True)
class Started:
    """A job began to run."""

    digest: str


@dataclass(frozen=True)
class Progressed:
    """A job did some share, in [0,1], of its work."""

    digest: str
    done: float
    text: str


@dataclass(frozen=True)
class Printed:
    """A job that runs printed more.

    Attributes:
        digest: the job's.
        words: the end of all that it printed so far.
    """

    digest: str
    words: str


@dataclass(frozen=True)
class Finished:
    """A job ended; its record, of success or failure, is not yet stored and lists no artefacts.

    Attributes:
        digest: the job's.
        record: of it.
        words: the end of all that it printed.
    """

    digest: str
    record: Record
    words: str = ""


@dataclass(frozen=True)
class Died:
    """The process that ran a job is gone, and with it the job.

    Attributes:
        digest: the job's.
        reason: how it ended.
        words: the last that it printed.
        stack: where it was, if that is known.
        is_innocent: whether the machine is known to have gone, which no job does.
    """

    digest: str
    reason: str
    words: str = ""
    stack: str = ""
    is_innocent: bool = False


@dataclass(frozen=True)
class Overran:
    """A job took longer than its `seconds` and was stopped; the rest as in `Died`."""

    digest: str
    seconds: float
    words: str
    stack: str


@dataclass(frozen=True)
class Halted:
    """A job met trouble that every other job would meet too (a full disk): the run must stop."""

    digest: str
    message: str


Event = Started | Progressed | Printed | Finished | Died | Overran | Halted


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is, and what a job takes of it.

    Attributes:
        address: `HOST:PORT`, `ray://HOST:PORT` or `auto`; "": RAY_ADDRESS, or a cluster of this machine alone.
        device: "auto" (the GPU that a job gets, if it gets one), "cpu" or "cuda".
        workers: jobs at once; None: as many as there is room for.
        gpus: share of a GPU that a job needs; None: a whole one where the cluster has any.
        memory: bytes that a job needs; None: of no account.
        carries: files travel even where the workers see the runner's.
    """

    address: str = ""
    device: str = "auto"
    workers: int | None = None
    gpus: float | None = None
    memory: int | None = None
    carries: bool = False


@dataclass(frozen=True)
class RunContext:
    """What all jobs of a run share, whichever executor does them.

    Attributes:
        store: folder of the store; jobs only read from it.
        downloads: folder of the downloaded data sets.
        cluster: for executors that have one.
    """

    store: Path
    downloads: Path
    cluster: Cluster = Cluster()


class Executor(Protocol):
    """Runs jobs, at most `slots` at once."""

    @property
    def slots(self) -> int:
        """How many jobs may be submitted and unfinished at the same time."""

    def submit(self, job: Job) -> None:
        """Take a job; there must be a free slot."""

    def pump(self, handle: Callable[[Event], None], timeout: float) -> None:
        """Wait at most `timeout` seconds for news and hand each event to `handle`.

        An executor without processes does its job in here, and takes as long as that takes.
        """

    def close(self) -> None:
        """Stop everything at once, finished or not, and leave no process behind."""


@runtime_checkable
class StoppingExecutor(Executor, Protocol):
    """An executor that can stop one job, as a limit of time needs it."""

    def stop(self, digest: str) -> None:
        """End the process of a job, if it has not ended, with all that it started; `pump` will tell that it died."""
