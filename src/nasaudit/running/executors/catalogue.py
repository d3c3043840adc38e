"""The executors by name, those of plugins too."""

from collections.abc import Callable, Sequence

from nasaudit.registry import Registry
from nasaudit.running.executors.base import Executor, RunContext
from nasaudit.running.executors.cluster.ray import Ray
from nasaudit.running.executors.processes import Processes
from nasaudit.running.executors.serial import Serial

# From what all jobs share, and a device for each worker that was asked for, to what runs them.
ExecutorFactory = Callable[[RunContext, Sequence[str]], Executor]

EXECUTORS: Registry[ExecutorFactory] = Registry("executor", "nasaudit.executors", Callable)  # type: ignore[arg-type]
EXECUTORS.add("processes", Processes)
EXECUTORS.add("serial", Serial)
EXECUTORS.add("ray", Ray)
