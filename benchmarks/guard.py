"""Whether the parts of an audit cost more work than they did: counted, so that no busy machine hides or feigns it.

`make guard`, which CI runs, counts the work of each part of a small audit and compares it with guard.json. Who makes
a part cheaper, or has it do more on purpose, writes the new counts there with `python -m benchmarks.guard --write`.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import nasaudit
from benchmarks.table import Table
from benchmarks.work import Work, count
from nasaudit.spec.study import StudySpec

BASELINE = Path(__file__).with_name("guard.json")
MOST = 1.2  # times the work of the baseline
STUDY = {
    "architectures": ["resnet"],
    "data": {"name": "digits", "train_images": 640},
    "seeds": [0],
    "training": {"epochs": 6},
    "analyses": [],
}
# What is changed of the study, one after the other: a part costs what those before it have not done yet.
PARTS = {
    "training of darts": {"architectures": ["darts"], "training": {"epochs": 1}},
    "training": {},
    "pgd": {"attacks": [{"name": "pgd", "images": 64}]},
    "square": {"attacks": [{"name": "square", "images": 32, "queries": 100}]},
    "hop_skip_jump": {"attacks": [{"name": "hop_skip_jump", "images": 8, "iterations": 3}]},
    "label_flip": {"attacks": [{"name": "label_flip", "fractions": [0.4]}]},
    "badnets": {"attacks": ["badnets"]},
    "knockoff": {"attacks": [{"name": "knockoff", "budget_shares": [1.0], "epochs": 4, "min_steps": 0}]},
    "lira": {"attacks": [{"name": "lira", "models": 4}]},
    "gradients": {"analyses": ["gradients"]},
    "smoothness": {"analyses": ["smoothness"]},
    "landscape": {"analyses": ["landscape"]},
}


def counted() -> Iterator[tuple[str, Work]]:
    """The work of each part, in one process and from nothing."""
    with TemporaryDirectory() as place:
        store = Path(place) / "store"
        for part, added in PARTS.items():
            study = StudySpec.model_validate(STUDY | added)
            options = nasaudit.RunOptions(executor="serial", device="cpu", store=store)

            def run(
                study: StudySpec = study, options: nasaudit.RunOptions = options, part: str = part
            ) -> None:
                audit = nasaudit.run_study(study, Path(place) / part, options)
                if audit.failed:
                    raise RuntimeError(f"expected {part} to be done, got {audit.results.failures}")

            yield part, count(run)


def baseline() -> dict[str, Work]:
    """What each part cost when it was last looked at."""
    return {part: Work(**work) for part, work in json.loads(BASELINE.read_text()).items()}


def times(now: Work, before: Work | None) -> float:
    """How many times the work of the baseline it is, by the count that grew most; infinite without a baseline."""
    if before is None:
        return float("inf")
    return max(getattr(now, field.name) / max(1, getattr(before, field.name)) for field in fields(Work))


def main() -> int:
    """Print the counts beside the baseline; 1 where a part costs more than `MOST` times its own, or has none."""
    before, rows, dearer = baseline(), list[tuple[str, ...]](), list[str]()
    for part, now in counted():
        grown = times(now, before.get(part))
        rows.append(
            (part, f"{now.calls:,}", f"{now.flops / 1e9:.2f}", f"{now.bytes / 1e9:.2f}", f"{grown:.2f}")
        )
        if grown > MOST:
            dearer.append(part)
    columns = ("part", "calls", "GFLOP", "GB written", "times guard.json")
    print(Table("Work of the parts of a small audit, counted", columns, rows).markdown())
    if dearer:
        print(f"more than {MOST:g} times the work of guard.json: {', '.join(dearer)}", file=sys.stderr)
    return 1 if dearer else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        BASELINE.write_text(json.dumps({part: asdict(work) for part, work in counted()}, indent=1) + "\n")
    else:
        sys.exit(main())
