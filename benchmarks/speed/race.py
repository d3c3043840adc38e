"""The whole table: `python -m benchmarks speed`."""

import itertools
from pathlib import Path
from statistics import geometric_mean

import torch

from benchmarks import autoattack
from benchmarks.speed import audit, commands, evasion, membership, theft, training
from benchmarks.speed.contest import COLUMNS
from benchmarks.table import Table


def run(folder: Path) -> Table:
    """All contests, one after the other; nothing else should run on the machine."""
    torch.set_num_threads(1)
    parts = (training, evasion, autoattack, theft, membership, audit)
    sides = itertools.chain.from_iterable(part.contests(folder) for part in parts)
    rows = [contest.row() for contest in sides]
    networks = [float(row[5].split()[0]) for row in rows if row[0].endswith("both cores")]
    blank = ("",) * 3
    rows.insert(
        len(networks),
        ("geometric mean of these", "", *blank, f"{geometric_mean(networks):.2f}", "2.3",
         "yes" if geometric_mean(networks) >= 2.3 else "no", ""),
    )  # fmt: skip
    return Table(
        "Times as fast as the peer: the median of three turns (the least to the most); CPU seconds of one thread, "
        "wall seconds where it says both cores",
        COLUMNS,
        rows,
    )


def run_commands(folder: Path) -> Table:
    """What a person waits for."""
    return Table("Commands", commands.COLUMNS, list(commands.rows(folder)))
