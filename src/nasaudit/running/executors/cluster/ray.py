"""Ray: an executor over a cluster (Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", 2018).

Ray places jobs by the cores, memory and shares of a GPU that they are said to need, and finds out about dead
workers and nodes. It retries nothing by itself: that is the runner's, which stores what came of it.
"""

import contextlib
import os
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nasaudit.errors import SpecError, first_line
from nasaudit.planning.needs import closure
from nasaudit.plugins import OURS, source_sha256
from nasaudit.running.executors.base import (
    Cluster,
    Died,
    Event,
    Finished,
    Job,
    Printed,
    RunContext,
    Started,
)
from nasaudit.running.executors.cluster.parcels import pack, unpack
from nasaudit.running.executors.cluster.remote import FilesNotSharedError, Order, perform
from nasaudit.running.executors.threads import KEEP_FREED_MEMORY, ONE_THREAD, module_path
from nasaudit.store.store import Store

KNOCK = 10.0  # seconds to wait for an answer of the cluster's head
CARRIED_BYTES = (
    2**30
)  # of records that lie in Ray's object store for jobs to come; older ones are put there again


class Mailbox:
    """News of the workers, until the runner takes them."""

    def __init__(self) -> None:
        import asyncio

        self._news: list[Event] = []
        self._some = asyncio.Event()

    async def put(self, event: Event) -> None:
        """Leave an event."""
        self._news.append(event)
        self._some.set()

    async def take(self) -> list[Event]:
        """Wait for events; all that came, in their order."""
        await self._some.wait()
        news, self._news = self._news, []
        self._some.clear()
        return news


@dataclass
class _Underway:
    """A job at a worker.

    Attributes:
        job: which.
        started: whether that was told.
        stopped: whether it was to be stopped.
        words: the end of what it printed, as far as that was told.
    """

    job: Job
    started: bool = False
    stopped: bool = False
    words: str = ""


class Ray:
    """An Executor over the cluster that the context names, or one of this machine alone.

    Args:
        context: what all jobs share.
        devices: of this machine: not used, since every node has its own.

    Raises:
        SpecError: Ray is not installed, there is no such cluster, or it runs another version of Python or Ray.
    """

    is_elsewhere = True  # the devices of this machine are of no account

    def __init__(self, context: RunContext, devices: Sequence[str] = ()):
        self._context, self._cluster = context, context.cluster
        self._store = Store(context.store)
        self._ray, self._is_ours = _connect(self._cluster)
        self._demands = _demands(self._ray, self._cluster)
        self._remote = self._ray.remote(**self._demands)(_perform)
        self._mailbox = self._ray.remote(
            num_cpus=0, max_restarts=-1, max_concurrency=1000, scheduling_strategy=_here(self._ray)
        )(Mailbox).remote()
        self._letter = self._mailbox.take.remote()
        self._underway: dict[Any, _Underway] = {}
        self._carried = self._cluster.carries
        self._records: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._code = source_sha256(OURS)

    @property
    def slots(self) -> int:
        """As many jobs as the cluster has room for now, or as `workers` says."""
        if self._cluster.workers is not None:
            return self._cluster.workers
        room, demands = self._ray.cluster_resources(), self._demands
        shares = [room.get("CPU", 0.0) / demands["num_cpus"]]
        if demands["num_gpus"]:
            shares.append(room.get("GPU", 0.0) / demands["num_gpus"])
        if demands["memory"]:
            shares.append(room.get("memory", 0.0) / demands["memory"])
        return max(1, int(min(shares)))

    def submit(self, job: Job) -> None:
        """Hand the job to Ray."""
        if len(self._underway) >= self.slots:
            raise RuntimeError(f"submitted more jobs than there are slots ({self.slots})")
        self._send(_Underway(job))

    def pump(self, handle: Callable[[Event], None], timeout: float) -> None:
        """Wait for messages and ends, at most `timeout` seconds."""
        ready, _ = self._ray.wait(
            [self._letter, *self._underway], num_returns=1, timeout=timeout, fetch_local=False
        )
        if not ready:
            return
        ended, _ = (
            self._ray.wait([*self._underway], num_returns=len(self._underway), timeout=0)
            if (self._underway)
            else ([], [])
        )
        for event in self._letters():  # before the ends, which come after
            handle(event)
        for reference in ended:
            for event in self._end(reference):
                handle(event)

    def stop(self, digest: str) -> None:
        """Have Ray end the worker of a job."""
        for reference, underway in self._underway.items():
            if underway.job.digest == digest:
                underway.stopped = True
                self._ray.cancel(reference, force=True)

    def close(self) -> None:
        """End all jobs, and the cluster if it was started here."""
        for reference in self._underway:
            with contextlib.suppress(Exception):
                self._ray.cancel(reference, force=True)
        self._underway.clear()
        self._records.clear()
        if self._is_ours:
            self._ray.shutdown()
        else:
            self._ray.kill(self._mailbox)

    def _send(self, underway: _Underway) -> None:
        job = underway.job
        order = Order(
            job=job,
            digest=job.digest,
            code=self._code,
            store=self._context.store,
            downloads=self._context.downloads,
            device=self._cluster.device,
            carried=self._carried,
        )
        needs = dict(self._needs(job)) if self._carried else {}
        self._underway[self._remote.remote(order, needs, self._mailbox)] = underway

    def _needs(self, job: Job) -> Iterator[tuple[str, list[Any]]]:
        """References to the records of all that a job may ask for; in lists, or else Ray would fetch them all."""
        for task in closure(job.task.needs()):
            if (reference := self._reference(task.digest())) is not None:
                yield task.digest(), [reference]

    def _reference(self, digest: str) -> Any | None:
        """The files of a record in the object store."""
        if digest in self._records:
            self._records.move_to_end(digest)
            return self._records[digest][0]
        folder = self._store.path(digest)
        if not folder.is_dir():
            return None
        parcel = pack(folder)
        reference = self._ray.put(parcel)
        self._records[digest] = reference, sum(map(len, parcel.values()))
        while len(self._records) > 1 and sum(size for _, size in self._records.values()) > CARRIED_BYTES:
            self._records.popitem(last=False)
        return reference

    def _letters(self) -> Iterator[Event]:
        """What the workers told of jobs that are under way."""
        while self._ray.wait([self._letter], timeout=0)[0]:
            try:
                news: list[Event] = self._ray.get(self._letter)
            except self._ray.exceptions.RayError:  # the mailbox died, and is a new one by now
                news = []
            self._letter = self._mailbox.take.remote()
            known = {underway.job.digest: underway for underway in self._underway.values()}
            for event in news:
                if (underway := known.get(event.digest)) is not None and not underway.stopped:
                    if isinstance(event, Started) and underway.started:
                        continue
                    underway.started = True
                    if isinstance(event, Printed):
                        underway.words = event.words
                    yield event

    def _end(self, reference: Any) -> Iterator[Event]:
        underway = self._underway.pop(reference, None)
        if underway is None:
            return
        try:
            event, parcel = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            if isinstance(error, self._ray.exceptions.RayTaskError) and isinstance(
                error.cause, FilesNotSharedError
            ):
                self._carried = True
                self._send(underway)
                return
            death = self._death(underway.job.digest, error)
            event, parcel = replace(death, words=underway.words or death.words), {}
        if not underway.started:  # the message is slower than the end
            yield Started(event.digest)
        if isinstance(event, Finished):
            unpack(parcel, underway.job.folder)
        yield event

    def _death(self, digest: str, error: Exception) -> Died:
        """What an error of Ray's says of a job."""
        errors = self._ray.exceptions
        match error:
            case errors.RayTaskError():
                return Died(digest, f"the worker of the cluster failed: {error.cause!r}", str(error)[-1500:])
            case errors.TaskCancelledError():
                return Died(digest, "the worker was stopped")
            case errors.NodeDiedError():
                return Died(digest, f"its node was lost: {first_line(error)}", is_innocent=True)
        return Died(digest, f"the worker is gone: {first_line(error)}")


def _perform(order: Order, needs: dict[str, list[Any]], mailbox: Any) -> Any:
    """Runs on a node of the cluster."""
    import ray

    def fetch(digest: str) -> Any:
        return ray.get(needs[digest][0]) if digest in needs else None

    def tell(event: Event) -> None:
        reference = mailbox.put.remote(event)
        if isinstance(event, Started):  # so that nothing of the job comes before
            with contextlib.suppress(ray.exceptions.RayError):
                ray.get(reference, timeout=5)

    return perform(order, fetch, tell, bool(ray.get_gpu_ids()))


def _connect(cluster: Cluster) -> tuple[Any, bool]:
    """The library, connected, and whether that is to be undone."""
    try:
        import ray
    except ImportError as error:
        raise SpecError("executor", "Ray to be installed: pip install 'nasaudit[ray]'", "ray") from error
    if ray.is_initialized():
        return ray, False
    _silence()
    if cluster.address:
        _knock(cluster.address)
    environment = {**ONE_THREAD, **KEEP_FREED_MEMORY}
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if address := cluster.address or os.environ.get("RAY_ADDRESS"):
        options["address"] = address
    else:
        options |= {"address": "local", "include_dashboard": False}
        environment["PYTHONPATH"] = module_path()
    options["runtime_env"] = {"env_vars": environment}
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise SpecError(
            "address", f"a cluster that can be reached ({first_line(error)})", cluster.address
        ) from error
    return ray, True


def _knock(address: str) -> None:
    """Ray tries a cluster for minutes before it says that there is none.

    Raises:
        SpecError: nobody listens there.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not (host and port.isdecimal()):  # "auto", or a word of Ray's that we do not know
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK).close()
    except OSError as error:
        raise SpecError("address", f"a cluster that can be reached ({error})", address) from error


def _silence() -> None:
    """Ray prints the logs of nodes that die, whatever it was told; a live display must stay whole."""
    with contextlib.suppress(ImportError, AttributeError):
        from ray._private.ray_logging import global_worker_stdstream_dispatcher

        global_worker_stdstream_dispatcher.remove_handler("ray_print_logs")


def _demands(ray: Any, cluster: Cluster) -> dict[str, Any]:
    """What a job needs, in Ray's words."""
    gpus = cluster.gpus
    if gpus is None:
        gpus = 0 if cluster.device == "cpu" else float(ray.cluster_resources().get("GPU", 0) > 0)
    return {"num_cpus": 1, "num_gpus": gpus, "memory": cluster.memory or 0, "max_retries": 0}


def _here(ray: Any) -> Any:
    """The node of the runner, with which its mailbox may end."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
