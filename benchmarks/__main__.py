"""Run every benchmark and print its table. Trained victims are kept in `build/benchmarks`."""

import sys
from pathlib import Path

from benchmarks import pgd

BENCHMARKS = {"pgd": pgd.run}


def main(names: list[str]) -> int:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(
            f"unknown benchmark {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}", file=sys.stderr
        )
        return 2
    for name in names or BENCHMARKS:
        print(BENCHMARKS[name](Path("build/benchmarks")).markdown(), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
