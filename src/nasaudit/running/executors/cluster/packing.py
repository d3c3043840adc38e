"""Which share of a GPU a task takes, by the memory that it is expected to need: small networks share one.

    share = (CONTEXT + SAFETY * bytes) / memory of the smallest GPU, rounded up to a tenth

The bytes are counted on a core of the cluster, where also the code of a user's own model is run, once for each
network and recipe (`training/memory.py`). What cannot be counted, such as a supernet, takes a whole GPU. Ray ends a
worker that had a GPU with its task, so nothing of it stays there.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nasaudit.errors import SpecError, first_line
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.tasks import Task, TrainTask
from nasaudit.spec.training import TrainingSpec

CONTEXT = 0.5e9  # bytes that CUDA and its libraries take of a GPU for each process
SAFETY = 1.3  # workspaces of kernels, and what an allocator keeps and cannot use
LEAST_BATCH = 64  # images of a white-box attack's batch
PATIENCE = 300.0  # seconds for an answer of the cluster
ASKING = 0.01  # of a GPU, to ask it how large it is
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Need:
    """A network that a task holds.

    Attributes:
        architecture: of it.
        training: how it is trained, or what it was trained by; None: nobody trains it.
        batch: images of a step.
    """

    architecture: ArchSpec
    training: TrainingSpec | None
    batch: int


def needs_of(task: Task) -> tuple[Need, ...]:
    """The networks that a task holds, alike ones once; a task of another kind has none."""
    return tuple(dict.fromkeys(_needs(task)))


def _needs(task: Task) -> Iterator[Need]:
    victim = task if isinstance(task, TrainTask) else getattr(task, "victim", None)
    training = victim.training if isinstance(victim, TrainTask) else None
    for name in type(task).model_fields:
        value = getattr(task, name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, ArchSpec):
                yield _need(each, training)
            elif isinstance(each, TrainTask):
                yield _need(each.architecture, each.training)


def _need(architecture: ArchSpec, training: TrainingSpec | None) -> Need:
    return Need(
        architecture, training, LEAST_BATCH if training is None else max(LEAST_BATCH, training.batch_size)
    )


def images_of(task: Task) -> float:
    """Bytes of the training images, which are all on the GPU."""
    about = task if isinstance(task, TrainTask) else getattr(task, "victim", None)
    if not isinstance(about, TrainTask):
        return 0.0
    return about.data.expected_images() * math.prod(about.architecture.input_shape)


def share_of(needed: float, memory: float) -> float:
    """The share of a GPU, in tenths; above 1 where it does not fit.

    Args:
        needed: bytes of tensors.
        memory: bytes of the GPU.
    """
    return max(1, math.ceil(10 * (CONTEXT + SAFETY * needed) / memory - 1e-9)) / 10


def count_bytes(need: Need) -> float:
    """The most that a network takes, in training or answering; runs on a node."""
    from nasaudit.running.executors.threads import one_thread
    from nasaudit.training.memory import bytes_of_answers, bytes_of_training

    with one_thread():
        answers = bytes_of_answers(need.architecture)
        if need.training is None:
            return answers
        return max(answers, bytes_of_training(need.architecture, need.training, need.batch))


class Packing:
    """Shares of the cluster's GPUs.

    Args:
        ray: the library, connected.
        memory: bytes of a GPU; None: the cluster is asked.

    Raises:
        SpecError: nobody says how large the GPUs are.
    """

    def __init__(self, ray: Any, memory: int | None):
        self._ray = ray
        self._memory = float(memory if memory is not None else _smallest_gpu(ray))
        self._count = ray.remote(num_cpus=0, max_retries=0)(count_bytes)
        self._counted: dict[Need, float | None] = {}
        self._told: set[str] = set()

    def share(self, task: Task) -> float:
        """What a task takes of a GPU, at most a whole one; the first of its kind takes seconds to count."""
        counted = [self._bytes(need) for need in needs_of(task)]
        if not counted or None in counted:
            self._tell(task.kind, f"{task.kind} tasks: memory cannot be estimated; each takes a whole GPU")
            return 1.0
        needed = images_of(task) + sum(filter(None, counted))
        share = share_of(needed, self._memory)
        if share > 1:
            self._tell(
                f"{task.kind} {[need.architecture.name for need in needs_of(task)]}",
                f"{task.label()}: needs about {(CONTEXT + SAFETY * needed) / 1e9:.1f} GB, and a GPU has "
                f"{self._memory / 1e9:.1f} GB; it takes a whole one, and learns in parts where it does not fit",
            )
        return min(1.0, share)

    def _bytes(self, need: Need) -> float | None:
        if need not in self._counted:
            self._counted[need] = self._ask(need)
        return self._counted[need]

    def _ask(self, need: Need) -> float | None:
        asked = self._count.remote(need)
        try:
            return float(self._ray.get(asked, timeout=PATIENCE))
        except self._ray.exceptions.RayError as error:
            self._ray.cancel(asked, force=True)
            name = need.architecture.name
            self._tell(
                name, f"{name}: its memory cannot be counted ({first_line(error)}); it takes a whole GPU"
            )
            return None

    def _tell(self, about: str, sentence: str) -> None:
        if about not in self._told:
            self._told.add(about)
            _log.warning("note: %s", sentence)


def _size_of_gpu() -> int:
    """Runs on a node, with a share of a GPU."""
    import torch

    return int(torch.cuda.mem_get_info()[1])


def _smallest_gpu(ray: Any) -> int:
    """Bytes of the smallest GPU, one of each node asked.

    Raises:
        SpecError: one does not answer.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU", 0)]
    ask = ray.remote(num_cpus=0, num_gpus=ASKING, max_retries=0)(_size_of_gpu)
    asked = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()
        for node in nodes
    ]
    try:
        return int(min(ray.get(asked, timeout=PATIENCE)))
    except ray.exceptions.RayError as error:
        raise SpecError(
            "gpu_memory", f"a size, as in --gpu-memory 24GB: no GPU says its own ({first_line(error)})", None
        ) from error
