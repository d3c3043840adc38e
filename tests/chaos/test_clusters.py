"""204 tasks on two nodes while runner, workers and a node are killed, and records damaged: the same bytes, once each.

CHAOS_SEED=N draws other moments.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fake_tasks import fake_plan
from tests.chaos.cluster_runner import SEEDS
from tests.chaos.test_runs import RUNNING, SEED, damage
from tests.running.test_run import House, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
KILLS, TRUNCATED = 50, 20
RUNNER = Path(__file__).with_name("cluster_runner.py")


@pytest.fixture
def cluster(monkeypatch) -> Iterator[object]:
    utils = pytest.importorskip("ray.cluster_utils")
    path = os.pathsep.join(filter(None, [str(RUNNING), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    small = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    two = utils.Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    yield two
    two.shutdown()


def processes(name: str) -> list[int]:
    """Those whose command line begins so: Ray gives its workers the name of what they do."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(name.encode()):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def written_since(moment: int, records: list[Path]) -> int:
    """How many of the records were written after a moment, in nanoseconds."""
    written = 0
    for path in records:
        with suppress(FileNotFoundError):  # it is being replaced
            written += path.stat().st_mtime_ns > moment
    return written


def test_kills_of_the_runner_of_workers_and_of_a_node(tmp_path: Path, cluster, note) -> None:
    rng = random.Random(SEED)
    inputs = tmp_path / "inputs"
    calm, house = House(tmp_path / "calm"), House(tmp_path / "storm")
    planned = fake_plan(inputs, seeds=SEEDS, naps=20)
    calm.run(planned)
    small = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    node = cluster.add_node(**small)

    def start() -> subprocess.Popen[bytes]:
        words = [str(inputs), str(house.out), cluster.address, rng.choice(("shares", "carries"))]
        return subprocess.Popen([sys.executable, str(RUNNER), *words], stdout=subprocess.DEVNULL)

    def records() -> list[Path]:
        return sorted(house.store.folder.glob("records/*/*/record.json"))

    runner, killed, truncated = start(), Counter[str](), 0
    while killed.total() < KILLS:
        # Far enough apart that there is progress, and the study does not end before.
        # (A damaged record that is made again is progress too, and the number of records does not tell.)
        moment = time.time_ns()
        wait_until(lambda m=moment, r=runner: written_since(m, records()) >= 2 or r.poll() is not None, 30)
        time.sleep(rng.uniform(0, 0.5))
        whom = rng.choice(("runner", "worker", "worker", "node"))
        if runner.poll() is not None:
            if truncated < TRUNCATED or len(records()) == len(planned.tasks):
                for path in rng.sample(records(), 10):
                    damage(path, "truncated", rng)
                    truncated += 1
            runner = start()
            continue
        if whom == "runner":
            runner.kill()
            runner.wait()
        elif whom == "worker":
            workers = processes("ray::_perform")
            if not workers:
                continue
            os.kill(rng.choice(workers), signal.SIGKILL)
        else:
            cluster.remove_node(node, allow_graceful=False)
            node = cluster.add_node(**small)
        killed[whom] += 1
        note(f"SIGKILL of a {whom} of a cluster")
    for path in rng.sample(records(), max(0, TRUNCATED - truncated)):
        damage(path, "truncated", rng)
    note(f"records truncated: {max(truncated, TRUNCATED)}")
    runner.kill()
    runner.wait()
    assert start().wait(timeout=400) == 0
    assert house.table == calm.table
    stored = [json.loads(path.read_text()) for path in records()]
    assert Counter(record["digest"] for record in stored) == Counter(task.digest() for task in planned.tasks)
    assert all(record["state"] == "ok" for record in stored)
    assert min(killed[whom] for whom in ("runner", "worker", "node")) > 0
