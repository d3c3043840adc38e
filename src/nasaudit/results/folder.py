"""The folder of one study: study.json says which, results.json and results.csv hold what came out."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pydantic
from pydantic_core import to_jsonable_python

from nasaudit.documents import parse_json
from nasaudit.errors import ConflictError, SpecError, StoreError, shown
from nasaudit.results.base import Count, Plain, format_setting
from nasaudit.results.large.later import MANY, LaterRows, resting_on
from nasaudit.results.schema import COLUMNS, Row, StudyResults
from nasaudit.results.soundness import problems
from nasaudit.spec.base import first_problem
from nasaudit.spec.study import StudySpec
from nasaudit.store.files import FORMAT, check_format, sha256, write_atomically
from nasaudit.store.lock import LOCK_FILE
from nasaudit.strangers import read_text

STUDY_FILE = "study.json"
RESULTS_FILE = "results.json"
TABLE_FILE = "results.csv"
STAMP_FILE = ".results-stamp.json"  # from which records, by which version, the results were made
STORE_FOLDER = "store"
EXAMPLES_FOLDER = "examples"
CELLS_FOLDER = "cells"  # what searches found: NAME.json is an architecture of the command line
GIVEN_FOLDER = "given"  # models and images that a caller of the Python API held in memory
GROWING = ("architectures", "seeds", "attacks", "analyses")  # fields of a study that a later one may add to
ANEW = "run the study again in another folder, or remove this one first"
WRITE_ANEW = "run the study again to write it anew"
MAX_BYTES = 2**28  # of study.json and results.json: 200 architectures write a hundredth of it
MAX_RESULTS_BYTES = 2**31  # of results.json alone: 100,000 tasks write a sixth of it
FORMAT_FIRST = re.compile(r'\{\s*"format":\s*(\d{1,9}),')
PART = 2**20  # letters of a table that are written at once
BRIEF_FILE = ".results-brief.json"
MAX_STAMP_BYTES = 2**16


class StudyFolder:
    """A study's folder on disk.

    Args:
        path: the folder; it may not exist yet.
    """

    def __init__(self, path: Path):
        self.path = path.absolute()

    def check(self, study: StudySpec) -> None:
        """Refuse a folder that is not this study's.

        Raises:
            ConflictError: it holds another study, or files and no study.
        """
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise ConflictError(f"{self.path} is a file; choose a folder that is empty or does not exist yet")
        if (self.path / STUDY_FILE).exists():
            self._check_same(study)
            return
        # Before a study is claimed there are these and nothing else.
        foreign = [
            entry.name
            for entry in self.path.iterdir()
            if entry.name not in {LOCK_FILE, STORE_FOLDER, GIVEN_FOLDER} and not entry.name.endswith(".tmp")
        ]
        if foreign:
            raise ConflictError(
                f"{self.path} is not empty (it holds {sorted(foreign)[0]}) and is not a study; "
                "choose a folder that is empty or does not exist yet"
            )

    def claim(self, study: StudySpec, store: Path | str, downloads: Path) -> None:
        """Say in the folder which study it holds, and where its records are."""
        content = {
            "format": FORMAT,
            "digest": study.digest(),
            "store": None if str(store) == str(self.store) else str(store),
            "downloads": str(downloads.absolute()),
            "study": study.model_dump(mode="json"),
        }
        text = json.dumps(content, indent=1) + "\n"
        path = self.path / STUDY_FILE
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text)

    @property
    def store(self) -> Path:
        """Where records are kept unless a run is told otherwise."""
        return self.path / STORE_FOLDER

    def read(self) -> dict[str, Any]:
        """The content of study.json.

        Raises:
            StoreError: there is none, or it cannot be read.
            FormatError: another version wrote it.
        """
        path = self.path / STUDY_FILE
        if not path.exists():
            raise StoreError(f"{self.path} holds no study ({STUDY_FILE} is missing)")
        content, _ = _read(path)
        if not isinstance(content.get("study"), dict):
            raise StoreError(f"{path} is damaged: it does not say which study the folder holds")
        check_format(content.get("format"), self.path, ANEW)
        for place in ("store", "downloads"):
            folder = content.get(place)
            if folder is not None and not (isinstance(folder, str) and folder and "\0" not in folder):
                raise StoreError(
                    f"{path} is damaged: expected a folder or a URL as its `{place}`, got {shown(folder)}"
                )
        return content

    def results(self) -> StudyResults:
        """Read results.json.

        Raises:
            StoreError: there is none, or it cannot be read.
            FormatError: another version wrote it.
        """
        path = self.path / RESULTS_FILE
        if not path.exists():
            raise StoreError(
                f"{self.path} holds no results yet ({RESULTS_FILE} is missing); run the command that made it again"
            )
        brief = self._brief() if (self.path / BRIEF_FILE).exists() else None
        return _results(path, _text(path)) if brief is None else brief

    def _brief(self) -> StudyResults | None:
        """The results with most of their rows still in the file; None where the file is not as it was written."""
        path = self.path / RESULTS_FILE
        try:
            text = read_text(self.path / BRIEF_FILE, StoreError, most=MAX_BYTES, inside=self.path)
            brief = Brief.model_validate_json(text)
            if brief.sha256 != sha256(path) or not 0 < brief.head <= MAX_BYTES:
                return None
            with path.open("rb") as file:
                head = file.read(brief.head).decode("utf-8")
        except (StoreError, OSError, ValueError):
            return None

        later = LaterRows(brief.rows, brief.count, lambda: _results(path, _text(path)).rows)
        return _results(path, head + "[]}", later)

    def copy(self, source: Path, name: str) -> None:
        """Copy an artefact to `name`, a path relative to the folder; not where it is already.

        Raises:
            StoreError: the disk is full.
        """
        target, content = self.path / name, source.read_bytes()
        try:
            if target.read_bytes() == content:
                return
        except OSError:
            target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content, durable=False)  # the store has it

    def write(self, results: StudyResults, source: str, study: str = "") -> None:
        """Write results.json and results.csv.

        Args:
            results: with verdicts.
            source: identifies the records that they were made from.
            study: digest of the study, of which they are the results in whole.
        """
        self._stamp.unlink(missing_ok=True)
        (self.path / BRIEF_FILE).unlink(missing_ok=True)
        head = results.model_dump_json(indent=1, exclude={"rows"}).removesuffix("\n}") + ',\n "rows": '
        write_atomically(self.path / RESULTS_FILE, _with_rows(head, results.rows))
        write_atomically(self.path / TABLE_FILE, to_csv(results.rows))
        if len(results.rows) > MANY:
            brief = Brief(
                sha256=sha256(self.path / RESULTS_FILE),
                head=len(head.encode()),
                count=len(results.rows),
                rows={place: results.rows[place] for place in resting_on(results)},
            )
            write_atomically(self.path / BRIEF_FILE, brief.model_dump_json(), durable=False)
        for searched in results.searches:
            cells = {"genotype": searched.genotype, "provenance": searched.provenance}
            target = self.path / CELLS_FOLDER / f"{Path(searched.architecture).name}.json"
            target.parent.mkdir(exist_ok=True)
            write_atomically(target, json.dumps(to_jsonable_python(cells), indent=1) + "\n")
        write_atomically(self._stamp, json.dumps({"source": source, "study": study, **self._files()}))

    def is_current(self, source: str) -> bool:
        """Whether the files are the ones that were written from the same records, unaltered since."""
        return self._stamped().get("source") == source

    def is_whole(self) -> bool:
        """Whether the files are those of the study that the folder names, all of it, unaltered since."""
        stamp = self._stamped()
        return bool(stamp) and stamp.get("study") == self.read().get("digest")

    def _stamped(self) -> dict[str, Any]:
        """What the stamp says of the files; nothing where it is not true any more."""
        try:
            stamp = parse_json(read_text(self._stamp, StoreError, most=MAX_STAMP_BYTES), STAMP_FILE)
            return stamp if isinstance(stamp, dict) and self._files().items() <= stamp.items() else {}
        except (OSError, StoreError, SpecError):
            return {}

    @property
    def _stamp(self) -> Path:
        return self.path / STAMP_FILE

    def _files(self) -> dict[str, str]:
        return {name: sha256(self.path / name) for name in (RESULTS_FILE, TABLE_FILE)}

    def _check_same(self, study: StudySpec) -> None:
        theirs, ours = self.read()["study"], study.model_dump(mode="json")
        differing = sorted(
            key for key in theirs.keys() | ours.keys() if not _grows(key, theirs.get(key), ours.get(key))
        )
        if differing:
            raise ConflictError(
                f"{self.path} holds another study (it differs in {', '.join(differing)}; seeds, architectures, "
                "attacks and analyses may be added to those that it has); "
                "choose another folder, or remove this one"
            )


def _grows(field: str, before: Any, after: Any) -> bool:
    """Whether a study may say this where it said that before: more of what it had, whose tasks are found again."""
    if before == after or field == "name":
        return True
    listed = field in GROWING and isinstance(before, list) and isinstance(after, list)
    return listed and all(entry in after for entry in before)


class Brief(Plain):
    """What stands beside results with many rows, so that they are read without them.

    Attributes:
        sha256: of the file of results; the brief is of no other one.
        head: bytes of that file before its rows, which stand last.
        count: of the rows.
        rows: those that verdicts rest on, by position.
    """

    sha256: str
    head: Count
    count: Count
    rows: dict[int, Row]


def _text(path: Path) -> str:
    return read_text(path, StoreError, most=MAX_RESULTS_BYTES, inside=path.parent)


def _results(path: Path, text: str, rows: LaterRows | None = None) -> StudyResults:
    begins = FORMAT_FIRST.match(text)
    # A million rows are not taken apart twice for the sake of a number that stands first in what we write.
    number = _parsed(path, text).get("format") if begins is None else int(begins[1])
    check_format(number, path, ANEW)
    try:
        results = StudyResults.model_validate_json(text, context=rows and {"rows": rows})
    except pydantic.ValidationError as error:
        raise StoreError(
            f"{path} is damaged, or was altered: {first_problem(error)}; {WRITE_ANEW}"
        ) from error
    check_format(results.format, path, ANEW)
    for problem in problems(results):
        raise StoreError(f"{path} is damaged, or was altered: {problem}; {WRITE_ANEW}")
    return results


def _with_rows(head: str, rows: Iterable[Row]) -> Iterator[str]:
    """The text of results.json: everything else, then a line a row."""
    yield head
    before = "[\n  "
    for row in rows:
        yield before + row.model_dump_json()
        before = ",\n  "
    yield "\n ]\n}\n" if before.startswith(",") else "[]\n}\n"


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """A file of JSON that somebody else may have written: its fields, and its text."""
    text = read_text(path, StoreError, most=MAX_BYTES, inside=path.parent)
    return _parsed(path, text), text


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        content = parse_json(text, str(path))
    except SpecError as error:
        raise StoreError(f"{error}; {WRITE_ANEW}") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} is damaged: expected fields in braces, got {shown(content)}")
    return content


def source_digest(parts: Mapping[str, str]) -> str:
    """One digest of everything that results are made from."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def to_csv(rows: Iterable[Row]) -> Iterator[str]:
    """The tidy table, in parts: columns as in COLUMNS, settings as `key=value;key=value` with sorted keys.

    Numbers are written in the shortest form that reads back as the same number, so equal results give
    equal bytes.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        values = {**dict(row), "setting": format_setting(row.setting)}
        writer.writerow([values[column] for column in COLUMNS])
        if text.tell() > PART:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
