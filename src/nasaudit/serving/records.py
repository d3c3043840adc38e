"""A record as its page shows it: what a stranger may have written, cut to what a person can look at."""

import json
from dataclasses import dataclass
from typing import Any

from nasaudit.serving.remembered import TAIL
from nasaudit.spec.tasks import Task
from nasaudit.store.reading import DistrustError, read_record
from nasaudit.store.records import Record
from nasaudit.store.store import Store

MOST_TEXT = 100_000  # characters of a spec
ONE_LINE = 80  # characters of a list that is not broken
MOST_ROWS = 500  # of any table


@dataclass(frozen=True)
class Opened:
    """What there is to see of a task.

    Attributes:
        digest: of it.
        label: what it does.
        spec: all its fields, as indented JSON.
        record: what it left; None: nothing that can be trusted.
        doubt: why a record that is there is not trusted.
        words: the last that was printed during it, so far if it runs.
    """

    digest: str
    label: str
    spec: str
    record: Record | None
    doubt: str
    words: str


def opened(store: Store, task: Task) -> Opened:
    """What a store has of a task; without its artefacts' content, of which nothing is read."""
    digest = task.digest()
    record, doubt = None, ""
    try:
        record = read_record(store.path(digest), digest, deep=False)
    except FileNotFoundError:
        pass
    except DistrustError as why:
        doubt = f"There is a record that {why}; it counts as absent, and the task will be done again."
    spec = indented(task.model_dump(mode="json") if record is None else record.task)
    return Opened(digest, task.label(), spec, record, doubt, store.words.read(digest))


def indented(value: Any) -> str:
    """As JSON, a field a line; what is short stays on one."""
    return cut("\n".join(_lines(value)), MOST_TEXT)


def _lines(value: Any) -> list[str]:
    line = json.dumps(value, ensure_ascii=False)
    if not value or not isinstance(value, dict | list) or (isinstance(value, list) and len(line) <= ONE_LINE):
        return [line]
    if isinstance(value, dict):
        parts = [(f"{json.dumps(key, ensure_ascii=False)}: ", part) for key, part in value.items()]
    else:
        parts = [("", part) for part in value]
    lines = []
    for position, (name, part) in enumerate(parts):
        first, *rest = _lines(part)
        block = [name + first, *rest]
        if position < len(parts) - 1:
            block[-1] += ","
        lines += ["  " + line for line in block]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return [opening, *lines, closing]


def cut(text: str, most: int) -> str:
    """The beginning of a text that is too long, with how much is missing."""
    return text if len(text) <= most else f"{text[:most]}\n[... {len(text) - most} more characters]"


def ending(text: str, most: int = TAIL) -> str:
    """The same of its end."""
    return text if len(text) <= most else f"[... {len(text) - most} characters before]\n{text[-most:]}"
