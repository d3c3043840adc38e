"""A child process: many cases of one kind, each in a fresh folder; a line of JSON for each on stdout."""

import json
import os
import random
import shutil
import sys
import warnings
from pathlib import Path

from fuzz.kinds import KINDS, Kind, finished, spoil
from fuzz.watch import Late, Watch, limit_memory

LONGEST = 2_000
FLAG = "RAN"  # what hostile code would leave behind


def main(name: str, seed: int, first: int, scratch: Path) -> None:
    """Cases from `first` on, until the pipe is closed."""
    kind = KINDS[name]
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # prints of libraries are no lines of ours
    warnings.simplefilter("ignore")
    os.environ["TMPDIR"] = str(scratch)
    os.chdir(scratch)
    good = scratch / "good"
    good.mkdir(exist_ok=True)
    kind.make(good)
    kind.read(good)  # and so all that is imported for it
    if (good / "picture.svg").exists():
        (good / "picture.svg").unlink()
    given = [scratch / "case", Path("/dev/zero"), Path("/dev/tty")]
    watch = Watch(*given, finished(good), *([] if kind.is_folder else [scratch / "outside"]))
    limit_memory()
    for case in range(first, sys.maxsize):
        out.write(json.dumps({"case": case}) + "\n")
        outcome, words, how = one(kind, watch, scratch, random.Random(f"{seed} {name} {case}"))
        out.write(json.dumps({"case": case, "outcome": outcome, "words": words[:500], "how": how}) + "\n")


def one(kind: Kind, watch: Watch, scratch: Path, rng: random.Random) -> tuple[str, str, str]:
    """Spoil and read: `result`, `refused` or `fault`; why; and what was spoiled."""
    folder, outside = scratch / "case", scratch / "outside"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copytree(scratch / "good", folder, dirs_exist_ok=True)
    how = spoil(kind, folder, outside, rng)
    flags = [place / FLAG for place in (scratch, folder, Path.cwd())]
    from nasaudit.errors import NasauditError

    try:
        with watch.watching():
            kind.read(folder)
        outcome, words = "result", ""
    except NasauditError as error:
        words = str(error)
        # A policy may have several problems, a line each.
        lines = words.splitlines() if kind.many_problems else [words]
        fine = (
            error.exit_code in (2, 3) and len(words) < LONGEST and all(line.isprintable() for line in lines)
        )
        outcome, words = ("refused" if fine else "fault"), f"{type(error).__name__}: {words}"
    except Late:
        outcome, words = "fault", "took longer than 10 s"
    except Exception as error:
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        outcome, words = "fault", f"{type(error).__name__} at {place.filename}:{place.lineno}: {error}"[:400]
    except BaseException as error:
        outcome, words = "fault", f"{type(error).__name__}: {error}"
    if any(flag.exists() for flag in flags):
        outcome, words = "fault", "code of the file was run"
    if watch.done:
        outcome, words = "fault", f"did what it may not: {watch.done[0]}"
    return outcome, words, how


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
