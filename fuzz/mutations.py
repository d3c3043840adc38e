"""Ways to spoil a file: its bytes, its text, its values, or what stands in its place. The generator decides all."""

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

NUMBERS = (
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63,
    2**64 - 1,
)
LARGEST = 2**20  # characters of a text that is spoiled further
WORDS = (
    "&a [*a, *a]",
    "*a",
    "!!python/object/apply:os.system ['touch RAN']",
    "[" * 3000,
    "{a: " * 300,
    "(" * 3000,
    "9" * 5000,
    "1e999999999",
    "0x" + "f" * 2000,
    "1:" * 2000 + "1",
    ".nan",
    "-.inf",
    "\x1b[31m",
    "\u202e",
    "\x00",
    "a" * 100_000,
    "../../../../etc/passwd",
    "<script>",
    "[bold red]",
    "{{ 7 * 7 }}",
    "\n",
    "__import__('os').system('touch RAN')",
    "~",
    "|",
    "+",
)
DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    1e308,
    float("nan"),
    float("-inf"),
    10**12,
    2**63,
    10**30,
    "",
    "x/0",
    "8/255",
    "a" * 100_000,
    "\ud800",
    "\x1b[31m\n",
    "/etc/passwd",
    "../outside/secret",
    "[bold red]",
    [],
    {},
    [[]],
    DEEP,
    {"a": {"b": 1}},
    list(range(5000)),
)


def of_bytes(content: bytes, rng: random.Random) -> bytes:
    """One to four changes anywhere."""
    spoiled = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(spoiled) + 1), rng.choice((1, 2, 4, 8, 64, 4096))
        match rng.randrange(7):
            case 0 if spoiled:
                spoiled[at % len(spoiled)] ^= 1 << rng.randrange(8)
            case 1:
                spoiled[at : at + size] = rng.randbytes(size)
            case 2:
                width = rng.choice((1, 2, 4, 8))
                number = rng.choice(NUMBERS) % 256**width
                spoiled[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))
            case 3:
                del spoiled[at : at + size]
            case 4:
                spoiled[at:at] = spoiled[at : at + size] * rng.randint(1, 50)
            case 5:
                del spoiled[at:]
            case _:
                other = rng.randrange(len(spoiled) + 1)
                spoiled[at : at + size] = spoiled[other : other + size]
    return bytes(spoiled)


def of_text(text: str, rng: random.Random) -> bytes:
    """Words of trouble between its own, lines twice, or its bytes."""
    if rng.random() < 0.3:
        return of_bytes(text.encode("utf-8", "surrogatepass"), rng)
    for _ in range(rng.randint(1, 3)):
        if len(text) > LARGEST:
            break
        at = rng.randrange(len(text) + 1)
        match rng.randrange(4):
            case 0:
                text = text[:at] + rng.choice(WORDS) + text[at:]
            case 1:
                text = text[:at] + rng.choice(WORDS) + text[at + rng.randrange(20) :]
            case 2:
                lines = text.splitlines(keepends=True) or [""]
                chosen = rng.choice(lines)
                text = text + chosen * rng.choice((1, 3, 1000))
            case _:
                text = text[:at] + str(rng.choice(NUMBERS)) + text[at + 1 :]
    return text.encode("utf-8", "surrogatepass")


def of_values(value: Any, rng: random.Random) -> Any:
    """A copy in which one to three places hold something else, are gone, or stand there twice."""
    spoiled = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        places = [
            (holder, key)
            for holder in _holders(spoiled)
            for key in (holder if isinstance(holder, dict) else range(len(holder)))
        ]
        if not places:
            return rng.choice(VALUES)
        holder, key = rng.choice(places)
        match rng.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[rng.choice(("", "a" * 1000, "epsilon", "\x1b", "name"))] = holder[key]
            case 2 if isinstance(holder, list):
                holder.extend([holder[key]] * rng.choice((1, 5, 100)))
            case _ if len(places) < LARGEST:
                holder[key] = copy.deepcopy(rng.choice(VALUES))
    return spoiled


def of_json(text: str, rng: random.Random) -> bytes:
    """Its values, or its text."""
    if rng.random() < 0.25:
        return of_text(text, rng)
    return json.dumps(of_values(json.loads(text), rng)).encode()


def of_yaml(text: str, rng: random.Random) -> bytes:
    """Its values, or its text."""
    if rng.random() < 0.4:
        return of_text(text, rng)
    # JSON is YAML, all but the numbers that JSON does not have.
    return json.dumps(of_values(yaml.safe_load(text), rng)).encode()


def in_place_of(path: Path, outside: Path, rng: random.Random) -> str:
    """Put something that is no such file where a file is; what it is."""
    path.unlink()
    name, make = rng.choice(PLACES)
    make(path, outside)
    return name


def _sparse(path: Path, outside: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 * 10**9)


PLACES: tuple[tuple[str, Callable[[Path, Path], Any]], ...] = (
    ("nothing", lambda path, outside: None),
    ("an empty file", lambda path, outside: path.touch()),
    ("a folder", lambda path, outside: path.mkdir()),
    ("a pipe", lambda path, outside: os.mkfifo(path)),
    ("a device", lambda path, outside: path.symlink_to("/dev/zero")),
    ("a terminal", lambda path, outside: path.symlink_to("/dev/tty")),
    ("a loop", lambda path, outside: path.symlink_to(path)),
    ("a link out", lambda path, outside: path.symlink_to(outside)),
    ("20 GB", _sparse),
)


def _holders(value: Any) -> list[Any]:
    found, rest = [], [value]
    while rest:
        now = rest.pop()
        if isinstance(now, dict | list):
            found.append(now)
            rest.extend(now.values() if isinstance(now, dict) else now)
        if len(found) > 5000:
            break
    return found
