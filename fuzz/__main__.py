"""`python -m fuzz [--seconds N] [--seed N] [--kind KIND] [--case N]`: counts by kind; exit code 1 for a fault."""

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.kinds import KINDS, make_finished

PATIENCE = 15  # seconds without a line: what holds the interpreter itself does not hear the alarm of 10
START = 120  # of a child, which imports torch
SHOWN = 3  # faults of a kind


@dataclass
class Tally:
    """What came of the cases of one kind."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, answer: dict[str, str]) -> None:
        """Count one case."""
        self.counts[answer["outcome"]] += 1
        if answer["outcome"] == "fault":
            self.faults.append(f"case {answer['case']} ({answer.get('how', '')}): {answer['words']}")


def fuzz(kind: str, seed: int, first: int, seconds: float, most: int, scratch: Path) -> Tally:
    """Cases of one kind until the time is over; a child that dies is a fault, and another one goes on."""
    tally, end, case = Tally(), time.monotonic() + seconds, first
    while time.monotonic() < end and case < first + most:
        case = _child(kind, seed, case, end, first + most, scratch, tally)
    return tally


def _child(kind: str, seed: int, case: int, end: float, last: int, scratch: Path, tally: Tally) -> int:
    """One child, from a case on; the case that the next one begins with."""
    command = [sys.executable, "-m", "fuzz.worker", kind, str(seed), str(case), str(scratch)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    noise = scratch / "stderr"
    with (
        noise.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, stderr=errors) as child,
    ):
        assert child.stdout is not None
        patience, why = START, ""
        while case < last and (time.monotonic() < end or patience == START):
            if not select.select([child.stdout], [], [], patience)[0]:
                why = f"no answer for {patience} s"
                break
            line = child.stdout.readline()
            if not line:
                why = f"the process ended with {child.wait()}: {noise.read_text()[-300:]!r}"
                break
            patience, answer = PATIENCE, json.loads(line)
            case = answer["case"]
            if "outcome" in answer:
                tally.add(answer)
                case += 1
        child.kill()
    if why:
        tally.add({"case": str(case), "outcome": "fault", "words": why})
        case += 1
    return case


def main() -> int:
    """Print a table of counts and the first faults of each kind."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=sorted(KINDS), action="append")
    parser.add_argument("--case", type=int, help="this one alone")
    asked = parser.parse_args()
    kinds = asked.kind or list(KINDS)
    began, faults, total = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory(prefix="nasaudit-fuzz-") as scratch:
        if any(KINDS[kind].of_finished for kind in kinds):
            make_finished(Path(scratch) / "finished")
        print(f"{'kind':<12} {'cases':>6} {'result':>7} {'refused':>8} {'fault':>6}", flush=True)
        for position, kind in enumerate(kinds):
            left = asked.seconds - (time.monotonic() - began)
            share = max(left, 0) / (len(kinds) - position)
            place = Path(scratch) / kind
            place.mkdir()
            first, most = (0, sys.maxsize) if asked.case is None else (asked.case, 1)
            tally = fuzz(kind, asked.seed, first, share, most, place)
            counts = [tally.counts[outcome] for outcome in ("result", "refused", "fault")]
            total, faults = total + sum(counts), faults + counts[2]
            print(f"{kind:<12} {sum(counts):>6} {counts[0]:>7} {counts[1]:>8} {counts[2]:>6}", flush=True)
            for line in tally.faults[: SHOWN if asked.case is None else None]:
                print(f"    {line}")
    print(f"{total} cases, {faults} faults, seed {asked.seed}, {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
