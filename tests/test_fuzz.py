"""`make fuzz` in small: hostile files of each kind that needs no finished study, and the watch that is kept."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.__main__ import fuzz
from fuzz.kinds import KINDS

CASES = 25


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if not kind.of_finished])
def test_hostile_files_end_in_a_result_or_a_sentence(kind: str, tmp_path: Path) -> None:
    tally = fuzz(kind, seed=1, first=0, seconds=120, most=CASES, scratch=tmp_path)
    assert tally.faults == []
    assert tally.counts.total() == CASES


WATCHED = """
import json, os, random, sys, time
from pathlib import Path
from fuzz import watch
from fuzz.kinds import Kind
from fuzz.worker import one

def read(folder):
    exec(sys.argv[2])

scratch = Path(sys.argv[1])
(scratch / "good").mkdir()
(scratch / "good" / "a").write_text("x")
watch.SECONDS = 1
kind = Kind(lambda folder: None, "a", lambda content, rng: content, read, is_text=True)
guard = watch.Watch(scratch / "case")
watch.limit_memory()
print(json.dumps(one(kind, guard, scratch, random.Random(0))))
"""


@pytest.mark.parametrize(
    ("done", "outcome", "words"),
    [
        ("(folder / 'a').read_text()", "result", ""),
        (
            "from nasaudit.errors import DataError; raise DataError('a: damaged')",
            "refused",
            "DataError: a: damaged",
        ),
        ("from nasaudit.errors import NasauditError; raise NasauditError('x')", "fault", "NasauditError: x"),
        ("raise ValueError('x')", "fault", "ValueError"),
        ("open('/etc/passwd')", "fault", "open /etc/passwd"),
        ("(folder / '..' / 'elsewhere').write_text('x')", "fault", "elsewhere w"),
        ("os.system('true')", "fault", "os.system"),
        ("(folder / 'RAN').touch()", "fault", "code of the file was run"),
        ("bytearray(3 * 2**30)", "fault", "MemoryError"),
        ("time.sleep(5)", "fault", "longer than"),
    ],
)
def test_what_a_case_may_not_do_is_seen(tmp_path: Path, done: str, outcome: str, words: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path), done], capture_output=True, text=True, check=True
    )
    got, said, _ = json.loads(ran.stdout)
    assert got == outcome
    assert words in said
