"""`nasaudit search`, killed as by `kill -9` and begun again, finds what an undisturbed one finds, to the byte."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from nasaudit.store.checkpoints import CHECKPOINTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPACE = "primitives: [none, skip_connect, max_pool_3x3, sep_conv_3x3]\nnodes: 2\n"
NETWORK = ("init_channels=4", "n_cells=3", "batch_size=16")
TURNS = ("controller_steps=1", "controller_samples=2", "candidates=2")
RECORDS = "store/records/*/*/record.json"
BEGUN = f"store/{CHECKPOINTS}/*[0-9a-f]"
# Settings of each, and the files of which so many tell that it is under way.
SEARCHES = {
    "darts": ((*NETWORK, "epochs=6"), BEGUN, 1),
    "enas": ((*NETWORK, "epochs=6", *TURNS), BEGUN, 1),
    "amoebanet": (
        ("children=6", "population=3", "tournament=2", "in_flight=1", "child_epochs=1"),
        RECORDS,
        3,
    ),
}


def search(folder: Path, method: str, settings: tuple[str, ...]) -> subprocess.Popen[bytes]:
    (folder.parent / "space.yaml").write_text(SPACE)
    words = f"search {method} --data digits --train-images 80 --space space.yaml --attacks none --analyses topology"
    words += f" --seeds 1 --random-cells 0 --workers 1 --device cpu --quiet --out {folder.name}"
    sets = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-c", "from nasaudit.cli import main; main()", *words.split(), *sets]
    return subprocess.Popen(command, cwd=folder.parent, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("method", list(SEARCHES))
def test_a_killed_search_finds_the_same_cells(method: str, tmp_path: Path) -> None:
    settings, pattern, number = SEARCHES[method]
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    assert search(calm, method, settings).wait() == 0
    killed = search(stormy, method, settings)
    while len(list(stormy.glob(pattern))) < number:
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    before = len(list(stormy.glob(RECORDS)))
    assert before < len(list(calm.glob(RECORDS)))
    assert search(stormy, method, settings).wait() == 0
    name = f"cells/{method}-s0.json"
    assert (stormy / name).read_bytes() == (calm / name).read_bytes()
