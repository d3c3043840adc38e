"""Tasks that cost nothing: a module of its own, so that worker processes can import it by name."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np

from nasaudit.arch.catalogue import resolve
from nasaudit.measure.estimate import Measurement, exact
from nasaudit.measure.proportion import proportion
from nasaudit.planning.needs import closure
from nasaudit.planning.plan import Plan
from nasaudit.spec.analyses import AnyAnalysis, ConvergenceSpec
from nasaudit.spec.attacks import PgdSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.tasks import EvasionTask, Task, TrainTask, VictimAnalysisTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.spec.units import format_epsilon
from nasaudit.store.workspace import Workspace

TEST_IMAGES = 200
SHAPE = (1, 8, 8)


class FakeTrain(TrainTask):
    """`trouble` says what goes wrong: a name of a function below, or nothing."""

    work: ClassVar[str] = "fake_tasks:fake_train"

    trouble: str = ""
    folder: str = ""  # where a trouble leaves its traces
    naps: int = 3


class FakeEvasion(EvasionTask):
    work: ClassVar[str] = "fake_tasks:fake_evasion"

    victim: FakeTrain


class FakeConvergence(VictimAnalysisTask):
    work: ClassVar[str] = "fake_tasks:fake_convergence"

    victim: FakeTrain
    analysis: AnyAnalysis = ConvergenceSpec()


def fake_train(task: FakeTrain, workspace: Workspace) -> list[Measurement]:
    for nap in range(task.naps):
        time.sleep(0.01)
        workspace.progress(nap / task.naps, str(os.getpid()))  # so that a test knows whom to kill
    if task.trouble in TROUBLES:
        TROUBLES[task.trouble](task)
    if task.trouble == "print_until_heard":
        print_until_heard(task, workspace)
    rng = np.random.default_rng(len(task.architecture.name) * 100 + task.seed)
    correct = rng.random(TEST_IMAGES) < 0.97
    np.savez(workspace.folder / "outcomes.npz", correct=correct, index=np.arange(TEST_IMAGES))
    (workspace.folder / "weights.safetensors").write_bytes(rng.bytes(50_000))
    history = {"images_per_step": 64, "step": [1, 2, 3], "loss": [2.0, 1.0, 0.5], "accuracy": [0.1, 0.5, 0.9]}
    (workspace.folder / "history.json").write_text(json.dumps(history))
    share = proportion(int(correct.sum()), TEST_IMAGES)
    if task.trouble == "nan":
        return [Measurement("clean_accuracy", exact(float("nan"), "fraction"))]
    return [Measurement("clean_accuracy", share, (("split", "test"),))]


def fake_evasion(task: FakeEvasion, workspace: Workspace) -> list[Measurement]:
    _, folder = workspace.find(task.victim)
    with np.load(folder / "outcomes.npz") as outcomes:
        index, correct = outcomes["index"], outcomes["correct"]
    grid = np.array([*task.attack.epsilons, np.inf])
    minimal = np.where(correct, grid[(index * 7 + task.victim.seed) % len(grid)], 0.0)
    steps = np.where(np.isinf(minimal), -1, 3)
    np.savez(
        workspace.folder / "evasion.npz", index=index, correct=correct, minimal_epsilon=minimal, steps=steps
    )
    np.savez(workspace.folder / "examples.npz", clean=np.zeros((1, *SHAPE), np.uint8))
    workspace.progress(1.0, "done")
    zeros = Measurement("zero_gradient_share", proportion(0, TEST_IMAGES), (("norm", "linf"),))
    at = (("norm", task.attack.norm), ("goal", task.attack.goal), ("images", "all"))
    return [
        zeros,
        *(
            Measurement(
                "asr",
                proportion(int((minimal <= epsilon).sum()), TEST_IMAGES),
                (("epsilon", format_epsilon(epsilon)), *at),
            )
            for epsilon in task.attack.epsilons
        ),
    ]


def fake_convergence(task: FakeConvergence, workspace: Workspace) -> list[Measurement]:
    steps = exact(10 + task.victim.seed, "steps", bound="lower" if task.victim.seed == 1 else None)
    return [
        Measurement("steps_to_accuracy", steps, (("accuracy", "0.9"),)),
        Measurement("loss_area", exact(0.1 + task.victim.seed / 3, "nats")),
    ]


def fail(task: FakeTrain) -> None:
    raise ValueError("the loss became NaN")


def fail_once(task: FakeTrain) -> None:
    if _first_time(task):
        raise ValueError("bad luck")


def die(task: FakeTrain) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(task: FakeTrain) -> None:
    if _first_time(task):
        die(task)


def fill_disk(task: FakeTrain) -> None:
    raise RuntimeError("I/O error: No space left on device (os error 28)")


def hang_once(task: FakeTrain) -> None:
    if _first_time(task):
        Path(task.folder, f"hangs-{os.getpid()}").touch()
        time.sleep(600)


def hang(task: FakeTrain) -> None:
    sys.stdout.write("thinking about it\n")
    sys.stdout.flush()
    time.sleep(600)


def hang_in_c(task: FakeTrain) -> None:
    """Where no other thread of the process gets to run, and no signal handler of Python."""
    Path(task.folder, f"hangs-{os.getpid()}").touch()
    re.match("(a+)+$", "a" * 40 + "b")


def start_others(task: FakeTrain) -> None:
    """Processes that hold on to all that they get, and write down who they are."""
    child = subprocess.Popen(["sleep", "600"], close_fds=False)
    Path(task.folder, f"child-{child.pid}").touch()
    copy = os.fork()
    if copy == 0:
        time.sleep(600)
        os._exit(0)
    Path(task.folder, f"child-{copy}").touch()


def start_others_and_hang(task: FakeTrain) -> None:
    start_others(task)
    hang(task)


def start_others_and_die(task: FakeTrain) -> None:
    start_others(task)
    die(task)


def leave_a_child(task: FakeTrain) -> None:
    child = subprocess.Popen(["sleep", "600"])
    Path(task.folder, f"child-{child.pid}").touch()


def fork(task: FakeTrain) -> None:
    """The copy does the rest of the task as well."""
    if os.fork() == 0:
        time.sleep(0.05)


def fork_and_end(task: FakeTrain) -> None:
    """As it should be done."""
    copy = os.fork()
    if copy == 0:
        os._exit(0)
    os.waitpid(copy, 0)


def want_memory(task: FakeTrain) -> None:
    """More than a worker may have, and less than most machines have."""
    bytearray(3 * 2**30)


def print_much(task: FakeTrain) -> None:
    line = "x" * 999 + "\n"
    for _ in range(100_000):
        sys.stdout.write(line)
    sys.stdout.write("the last line\n")
    sys.stdout.flush()


def print_much_and_die(task: FakeTrain) -> None:
    print_much(task)
    die(task)


def murmur(task: FakeTrain) -> None:
    """Nobody flushes it."""
    sys.stdout.write("a word without an end")


def print_until_heard(task: FakeTrain, workspace: Workspace) -> None:
    """Go on when somebody wrote that the log has the first words."""
    sys.stdout.write("first words\n")
    until = time.monotonic() + 10
    while not (Path(task.folder) / "heard").exists() and time.monotonic() < until:
        workspace.progress(0.9, "")
        time.sleep(0.02)
    sys.stdout.write("last words\n")


def remove_folder(task: FakeTrain) -> None:
    """Of the workspace, which is found as a module of somebody else's would find it."""
    for folder in Path(task.folder).parent.rglob("made-by-nasaudit"):
        shutil.rmtree(folder.parent)


TROUBLES = {
    "fail": fail,
    "fail_once": fail_once,
    "die": die,
    "die_once": die_once,
    "fill_disk": fill_disk,
    "hang_once": hang_once,
    "hang": hang,
    "hang_in_c": hang_in_c,
    "start_others_and_hang": start_others_and_hang,
    "start_others_and_die": start_others_and_die,
    "leave_a_child": leave_a_child,
    "fork": fork,
    "fork_and_end": fork_and_end,
    "want_memory": want_memory,
    "print_much": print_much,
    "print_much_and_die": print_much_and_die,
    "murmur": murmur,
    "remove_folder": remove_folder,
}


def _first_time(task: FakeTrain) -> bool:
    trace = Path(task.folder, task.digest())
    first = not trace.exists()
    trace.touch()
    return first


def fake_plan(
    folder: Path,
    names: tuple[str, ...] = ("darts", "resnet"),
    seeds: tuple[int, ...] = (0, 1),
    *,
    trouble: str = "",
    naps: int = 3,
) -> Plan:
    """A plan of fake tasks; `trouble` befalls the first architecture's first seed.

    Plans with the same `folder` have the same digests; a tiny data set is written there.
    """
    attack = PgdSpec(images=TEST_IMAGES)
    folder.mkdir(parents=True, exist_ok=True)
    images = folder / "tiny.npz"
    if not images.exists():
        np.savez(images, images=np.zeros((10, 8, 8), np.uint8), labels=np.arange(10))
    data = DataSpec(name="npz", path=str(images))
    study = StudySpec(name="fake", architectures=names, data=data, seeds=seeds, attacks=(attack,))
    tasks: list[Task] = []
    victims: list[TrainTask] = []
    architectures = tuple(resolve(ArchChoice(name=name), "mini", 10, SHAPE) for name in names)
    for architecture in architectures:
        for seed in seeds:
            victim = FakeTrain(
                architecture=architecture,
                data=data,
                training=TrainingSpec(),
                seed=seed,
                trouble=trouble if (architecture.name, seed) == (names[0], seeds[0]) else "",
                folder=str(folder),
                naps=naps,
            )
            victims.append(victim)
            tasks += [
                victim,
                FakeEvasion(victim=victim, attack=attack),
                FakeConvergence(victim=victim),
            ]
    return Plan(study, data, TrainingSpec(), architectures, tuple(victims), closure(tasks))
