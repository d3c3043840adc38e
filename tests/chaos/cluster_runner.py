"""A run of fake tasks on a cluster, in its own process: `python cluster_runner.py INPUTS OUT ADDRESS CARRIES`."""

import sys
from pathlib import Path

from fake_tasks import fake_plan

from nasaudit.running.executors.base import Cluster, RunContext
from nasaudit.running.executors.cluster.ray import Ray
from nasaudit.running.run import run_plan

SEEDS = tuple(range(34))  # of two architectures, each with a training, an attack and an analysis


def main(inputs: Path, out: Path, address: str, carries: bool) -> None:
    context = RunContext(out / "store", inputs, Cluster(address, device="cpu", carries=carries))
    results = run_plan(
        fake_plan(inputs, seeds=SEEDS, naps=20),
        out,
        context,
        lambda: Ray(context),
        mode="retry",
    )
    sys.exit(f"{len(results.failures)} tasks failed" if results.failures else 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "carries")
