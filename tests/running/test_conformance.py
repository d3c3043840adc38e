"""Both executors keep the rules of executors."""

from nasaudit.running.executors.processes import Processes
from nasaudit.running.executors.serial import Serial
from nasaudit.testing.executors import ExecutorConformance


class TestSerial(ExecutorConformance):
    processes = False

    def executor(self, context, devices):
        return Serial(context, devices)


class TestProcesses(ExecutorConformance):
    def executor(self, context, devices):
        return Processes(context, devices)
