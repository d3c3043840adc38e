"""The executors of this machine keep the rules of executors; the one over a cluster has its own file."""

import subprocess
import sys
from pathlib import Path

import pytest

from nasaudit.running.executors.base import Finished
from nasaudit.running.executors.processes import Processes
from nasaudit.running.executors.serial import Serial
from nasaudit.running.executors.tee import Tee
from nasaudit.testing.chores import Chore
from nasaudit.testing.executors import ExecutorConformance

# Pytest collects warnings, so that none is printed in its own process.
ALONE = """
import sys
from pathlib import Path
from nasaudit.running.executors.base import Finished, Job, RunContext
from nasaudit.running.executors.serial import Serial
from nasaudit.testing.chores import Chore
folder, events = Path(sys.argv[1]), []
executor = Serial(RunContext(folder / "store", folder))
executor.submit(Job(Chore(number=0, trouble="murmur"), folder))
executor.pump(lambda event: (events.append(event), print("the display")), 0)
Path("words").write_text(events[-1].words)
"""


class TestSerial(ExecutorConformance):
    processes = False

    def executor(self, context, devices):
        return Serial(context, devices)

    def test_a_warning_is_in_the_log_and_the_terminal_and_the_display_only_there(self, tmp_path: Path):
        told = subprocess.run(
            [sys.executable, "-c", ALONE, str(tmp_path)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        log = (tmp_path / "words").read_text()
        assert "UserWarning: chore 0 is slow" in log
        assert "UserWarning: chore 0 is slow" in told.stderr
        assert "chore 0 begins" in told.stdout
        assert "the display" in told.stdout
        assert "the display" not in log


class TestProcesses(ExecutorConformance):
    def executor(self, context, devices):
        return Processes(context, devices)

    def test_a_warning_is_in_the_log(self, tmp_path: Path):
        with self.opened(tmp_path, slots=1) as executor:
            end = self.run(executor, tmp_path, Chore(trouble="murmur"))[-1]
        assert isinstance(end, Finished)
        assert "UserWarning: chore 0 is slow" in end.words


def test_a_tee_has_what_a_stream_has_and_raises_what_its_listener_raises(capsys: pytest.CaptureFixture[str]):
    def refuse(words: str) -> None:
        raise KeyError(words)

    tee = Tee(refuse)
    with tee.listening():
        assert sys.stdout.encoding.lower() == "utf-8"
        with pytest.raises(KeyError, match="a word"):
            sys.stdout.write("a word\n")
    assert capsys.readouterr().out.startswith("a word")
    assert tee.words == "a word"
