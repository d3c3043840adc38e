"""A look as pages: words and tables. Templates escape all that others named; nothing of it is markup."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from nasaudit.measure.estimate import Estimate, exact
from nasaudit.running.display.eta import format_seconds, more_words
from nasaudit.running.display.figures import FIGURES, in_words
from nasaudit.running.status import STATES
from nasaudit.serving.records import MOST_ROWS, Opened, cut, ending
from nasaudit.serving.reports import Reports
from nasaudit.serving.watch import Look, Row

ROWS = 200  # of the task table on one page
MOST_FIGURES = 24  # of each kind of task, in the tables above it
MOST_FAILURES = 8
MOST_FILTERS = 20  # whose tables are kept until the next look
LAST_LINES = 6  # of a traceback
LABEL, REASON = 300, 600  # characters of a name, and of a sentence
BAR = 256  # units of width of the picture of an interval


@dataclass(frozen=True)
class Filter:
    """Which tasks to show.

    Attributes:
        text: that the label, the reason or the digest holds, in any case; "": any.
        state: in which they are; "": in any.
        page: from 1 on.
    """

    text: str = ""
    state: str = ""
    page: int = 1

    @classmethod
    def of(cls, text: str, state: str, page: str) -> "Filter":
        """What a query asks for; what cannot be understood counts as not asked."""
        number = int(page) if page.isascii() and page.isdecimal() and len(page) < 8 else 1
        return cls(text.strip()[:LABEL], state if state in STATES else "", max(1, number))

    def takes(self, row: Row) -> bool:
        """Whether it shows this task."""
        if self.state and row.state != self.state:
            return False
        text = self.text.casefold()
        return not text or text in row.label.casefold() or text in row.why.casefold() or row.digest == text

    def query(self, **changes: object) -> str:
        """As a query, with some of it changed."""
        fields = {"q": self.text, "state": self.state, "page": self.page, **changes}
        kept = {name: value for name, value in fields.items() if value and (name, value) != ("page", 1)}
        return f"?{urlencode(kept, errors='replace')}" if kept else "?"


@dataclass(frozen=True)
class Bar:
    """An interval on a line from 0 to the most of its table: where it begins and ends, and the value between."""

    low: float
    value: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate, most: float) -> "Bar":
        """That of an estimate."""

        def place(number: float) -> float:
            return round(BAR * min(1.0, max(0.0, number / most)), 1) if most > 0 else 0.0

        return cls(place(estimate.low), place(estimate.value), place(estimate.high))


class Pages:
    """Makes the pages of a study.

    Args:
        folder: of the study.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._made: tuple[Look, dict[object, str]] | None = None

    def study(self, look: Look | None, asked: Filter, reports: Reports) -> bytes:
        """The first page: how far it is, figures, failures, tasks."""
        return self._page("study.html.j2", parts=self.parts(look, asked, reports), asked=asked)

    def parts(self, look: Look | None, asked: Filter, reports: Reports) -> dict[str, object]:
        """What of the pages changes, as HTML by the name of its place, and a version of it all."""
        words = self._words(look)
        report = _report_words(reports)
        htmls = {"summary": _render("summary.html.j2", look=look, words=words)}
        if look is not None and look.status is not None:
            htmls |= self._tables(look, asked)
        return _versioned(words["title"], htmls, report)

    def _tables(self, look: Look, asked: Filter) -> dict[str, str]:
        """What takes long where a study has many tasks: once for each look, however often it is asked for."""
        if self._made is None or self._made[0] is not look:
            made: dict[object, str] = {
                "failures": _render("failures.html.j2", **_failures(look)),
                "figures": _render("figures.html.j2", groups=list(_figures(look)), bar=BAR),
            }
            self._made = look, made
        made = self._made[1]
        if asked not in made:
            if len(made) > MOST_FILTERS:
                made = {name: made[name] for name in ("failures", "figures")}
                self._made = look, made
            made[asked] = _render("tasks.html.j2", **_tasks(look, asked), asked=asked)
        return {"failures": made["failures"], "figures": made["figures"], "tasks": made[asked]}

    def task(self, look: Look, task: Opened) -> bytes:
        """The page of one task."""
        return self._page("task.html.j2", task=task, parts=self.task_parts(look, task))

    def task_parts(self, look: Look, task: Opened) -> dict[str, object]:
        """What of the page of a task changes, like `parts`."""
        row = next((row for row in look.rows if row.digest == task.digest), None)
        record = task.record
        settings = [
            {
                "metric": each.metric,
                "setting": ", ".join(f"{key} {value}" for key, value in each.setting),
                "value": in_words(each.estimate),
                "n": each.estimate.n,
                "unit": each.estimate.unit,
            }
            for each in (record.measurements[:MOST_ROWS] if record is not None else ())
        ]
        values = {
            "task": task,
            "row": row,
            "record": record,
            "measurements": settings,
            "more": 0 if record is None else max(0, len(record.measurements) - MOST_ROWS),
            "traceback": "" if record is None or record.problem is None else record.problem.traceback,
            "artefacts": [] if record is None else list(record.artefacts.items())[:MOST_ROWS],
            "versions": [] if record is None else list(record.versions.items())[:MOST_ROWS],
        }
        htmls = {name: _render(f"{name}.html.j2", **values) for name in ("facts", "outcome", "log", "spec")}
        return _versioned("nasaudit", htmls, {})

    def report(self, look: Look | None, reports: Reports) -> bytes:
        """The page around the report as it stands."""
        return self._page("report.html.j2", parts=self.parts(look, Filter(), reports))

    def _page(self, template: str, **values: object) -> bytes:
        parts = values.get("parts")
        title = parts["title"] if isinstance(parts, dict) else "nasaudit"
        words = {"folder": str(self._folder), "title": title, **values}
        return _render(template, **words).encode("utf-8", errors="replace")

    def _words(self, look: Look | None) -> dict[str, str]:
        """How far the study is."""
        if look is None:
            return {"title": "nasaudit", "said": "Reading the study ...", "kind": "quiet"}
        status = look.status
        if status is None:
            return {"title": "nasaudit", "said": look.problem, "kind": "warn"}
        total, ended = len(status.tasks), status.count("done") + status.count("failed")
        far = f"{ended} of {total} tasks{more_words(status.expected)}"
        if status.going:
            left = "" if status.left is None else f", about {format_seconds(status.left)} left"
            said, kind = f"{far}{left}", "going"
        elif status.count("missing") or status.expected != 0:
            said, kind = f"{far}; no run is going on, the same command resumes it", "warn"
        else:
            said, kind = f"finished: {far}", "quiet"
        return {
            "title": f"{ended}/{total} · {cut(status.study, LABEL)}",
            "name": cut(status.study, LABEL),
            "said": said,
            "kind": kind,
            "ended": str(ended),
            "total": str(total),
        }


def _report_words(reports: Reports) -> dict[str, object]:
    latest = reports.latest
    return {
        "number": 0 if latest is None else latest.number,
        "of": "" if latest is None or not latest.total else f"as of {latest.done} of {latest.total} tasks",
        "drawing": reports.drawing,
        "problem": reports.problem,
    }


def _tasks(look: Look, asked: Filter) -> dict[str, object]:
    chosen = [row for row in look.rows if asked.takes(row)] if asked.text or asked.state else look.rows
    pages = max(1, -(-len(chosen) // ROWS))
    page = min(asked.page, pages)
    status = look.status
    counts = [] if status is None else [(state, status.count(state)) for state in STATES]
    return {
        "rows": [_shown(row) for row in chosen[(page - 1) * ROWS : page * ROWS]],
        "found": len(chosen),
        "all": len(look.rows),
        "page": page,
        "pages": pages,
        "first": (page - 1) * ROWS + 1,
        "counts": [(state, count) for state, count in counts if count or state == asked.state],
        "stages": [] if status is None else status.stages[:MOST_ROWS],
    }


def _shown(row: Row) -> dict[str, object]:
    words = asdict(row)
    return words | {
        "label": cut(row.label, LABEL),
        "why": cut(row.why, REASON),
        "figure": "" if row.figure is None else in_words(row.figure),
        "took": "" if row.seconds is None else format_seconds(row.seconds),
    }


def _failures(look: Look) -> dict[str, object]:
    failed = [row for row in look.rows if row.state == "failed"]
    shown = [
        {
            **_shown(row),
            "lines": ending("\n".join(row.traceback.rstrip().splitlines()[-LAST_LINES:])),
        }
        for row in failed[:MOST_FAILURES]
    ]
    return {"failures": shown, "more": len(failed) - len(shown)}


def _figures(look: Look) -> Iterator[dict[str, object]]:
    """What finished tasks came to, by kind, in the order of the plan."""
    for kind, (_, words) in FIGURES.items():
        asked = [row for row in look.rows if row.kind == kind and row.asked]
        rows = [(row, row.figure) for row in asked if row.figure is not None]
        if not rows:
            continue
        shares = all(estimate.unit == "fraction" for _, estimate in rows)
        most = 1.0 if shares else max(estimate.high for _, estimate in rows)
        yield {
            "kind": kind,
            "words": words,
            "most": "100%" if shares else in_words(exact(most, rows[0][1].unit)),
            "rows": [
                {**_shown(row), "n": estimate.n, "bar": Bar.of(estimate, most)}
                for row, estimate in rows[:MOST_FIGURES]
            ],
            "more": len(rows) - MOST_FIGURES,
            "tasks": len(asked),
        }


def _versioned(title: str, htmls: dict[str, str], report: dict[str, object]) -> dict[str, object]:
    """What a page that is open asks for: nothing is sent to one that has seen this version."""
    content = json.dumps([htmls, report])
    version = hashlib.sha256(content.encode()).hexdigest()[:16]
    return {"version": version, "title": title, "html": htmls, "report": report}


def _clock(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _bytes(count: int) -> str:
    """A size for a person."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} bytes"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("nasaudit.serving"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"clock": _clock, "bytes": _bytes, "took": format_seconds, "cut": cut, "ending": ending}
    return made


def _render(template: str, **words: object) -> str:
    return _environment().get_template(template).render(**words)
