"""The server on a socket, the report as it stands, and what a run does with both."""

import io
import re
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from fake_tasks import fake_plan

from nasaudit.cli.options import RunFlags
from nasaudit.running.display.observer import Silent
from nasaudit.running.executors.base import RunContext
from nasaudit.running.executors.processes import Processes
from nasaudit.running.executors.serial import Serial
from nasaudit.running.run import run_plan
from nasaudit.serving.drawing import draw
from nasaudit.serving.reports import DRAW_EVERY, DrawingError, Reports
from nasaudit.serving.server import Served, bind
from nasaudit.spec.tasks import Task
from nasaudit.store.store import Store


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read().decode()


def test_a_page_is_served_until_it_is_closed(folder) -> None:
    folder.commit(folder.training)
    place = bind()
    address, served = place.address, Served(folder.path, place)
    assert "97.2%" in get(address)
    served.close()
    with pytest.raises(OSError, match="refused"):
        get(address)
    assert not [
        thread for thread in threading.enumerate() if thread.name.startswith(("nasaudit-serve", "AnyIO"))
    ]


def test_a_page_that_nobody_opens_costs_nothing_and_ends_at_once(folder) -> None:
    began = time.monotonic()
    served = Served(folder.path, bind())
    served.close()
    assert time.monotonic() - began < 0.5


def test_the_report_is_drawn_one_at_a_time_and_not_all_the_time(tmp_path: Path) -> None:
    clock, begun, go_on = [0.0], [], threading.Semaphore(0)

    def drawn(folder: Path) -> tuple[bytes, int, int]:
        begun.append(folder)
        assert go_on.acquire(timeout=20)
        clock[0] += 4.0
        if len(begun) == 2:
            raise DrawingError("no ink")
        return b"page", len(begun), 9

    def wait_until(ready) -> None:
        until = time.monotonic() + 20
        while not ready():
            assert time.monotonic() < until
            time.sleep(0.005)

    reports = Reports(tmp_path, drawn, lambda: clock[0])
    reports.ask("")  # without a record there is nothing to draw
    for records in ("a", "b", "c"):
        reports.ask(records)
    wait_until(lambda: len(begun) == 1)
    go_on.release()
    wait_until(lambda: not reports.drawing)
    assert (reports.latest.number, reports.latest.done, reports.latest.total) == (1, 1, 9)
    reports.ask("b")  # four seconds were taken: twenty are waited
    clock[0] += 19.9
    reports.ask("b")
    assert len(begun) == 1
    clock[0] += 0.2
    reports.ask("a")  # of which it is drawn
    assert len(begun) == 1
    reports.ask("b")
    go_on.release()
    wait_until(lambda: len(begun) == 2 and not reports.drawing)
    assert reports.problem == "no ink"
    assert reports.latest.page == b"page"
    assert DRAW_EVERY < 4.0 * 5


def test_the_report_of_an_unfinished_study_is_drawn_beside_its_folder(folder) -> None:
    folder.commit(folder.training, seconds=1.0, files={"history.json": HISTORY, "outcomes.npz": outcomes()})
    before = sorted(folder.path.rglob("*"))
    page, ended, known = draw(folder.path)
    assert (ended, known) == (1, 3)
    assert "2 of 3 tasks are missing" in page
    assert page.startswith("<!doctype html>")
    assert sorted(folder.path.rglob("*")) == before


HISTORY = b'{"images_per_step": 64, "step": [1, 2], "loss": [2.0, 1.0], "accuracy": [0.1, 0.5]}'


def outcomes() -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.savez(file, correct=np.arange(359) < 349, index=np.arange(359))
    return file.getvalue()


def test_what_a_worker_prints_during_a_task_is_kept_beside_its_record(tmp_path: Path) -> None:
    """One worker does one task after the other, and leaves words in its buffer."""
    planned = fake_plan(tmp_path / "work", trouble="murmur")
    context = RunContext(tmp_path / "out" / "store", tmp_path)
    run_plan(planned, tmp_path / "out", context, lambda: Processes(context, ("cpu",)))
    store = Store(context.store)
    murmuring = planned.victims[0].digest()
    said = {task.digest(): store.words.read(task.digest()) for task in planned.tasks}
    assert said.pop(murmuring) == "a word without an end"
    assert set(said.values()) == {""}
    assert not list(store.path(murmuring).glob("*.txt"))
    with store.writing():
        store.remove(murmuring)
    assert store.words.read(murmuring) == ""


@pytest.mark.parametrize("make", [Serial, Processes])
def test_the_log_of_a_task_is_there_while_it_runs_and_begins_anew(tmp_path: Path, make) -> None:
    planned, heard = fake_plan(tmp_path / "work", trouble="print_until_heard"), []
    context = RunContext(tmp_path / "out" / "store", tmp_path)
    store, digest = Store(context.store), planned.victims[0].digest()
    with store.writing():
        store.words.keep(digest, "what an earlier attempt said")

    class Listener(Silent):
        def progressed(self, task: Task, done: float, text: str) -> None:
            if task.digest() == digest and (said := store.words.read(digest)):
                heard.append(said)
                (tmp_path / "work" / "heard").touch()

    run_plan(planned, tmp_path / "out", context, lambda: make(context, ("cpu",)), observer=Listener())
    assert heard[0] == "first words"
    assert store.words.read(digest) == "first words\nlast words"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("asked", "terminal", "ci", "quiet", "expected"),
    [
        (None, True, "", False, True),
        (None, True, "true", False, False),
        (None, True, "", True, False),
        (None, False, "", False, False),
        (True, False, "true", False, True),
        (False, True, "", False, False),
    ],
)
def test_a_run_prints_the_address_of_its_page(
    monkeypatch, tmp_path, asked, terminal, ci, quiet, expected
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("CI", ci)
    with RunFlags(serve=asked, quiet=quiet).page(tmp_path / "later"):
        said = stream.getvalue()
        assert bool(said) == expected
        if expected:
            address = re.fullmatch(r"watch: (http://127\.0\.0\.1:\d+/)\n", said)[1]
            assert "The run has not begun" in get(address)
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_cannot_be_had_is_a_note(monkeypatch, capsys, tmp_path) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("no sockets today")

    monkeypatch.setattr("socket.getaddrinfo", refused)
    done = False
    with RunFlags(serve=True).page(tmp_path):
        done = True
    assert done
    assert (
        "note: there is no live page: cannot serve at 127.0.0.1: no sockets today" in capsys.readouterr().err
    )


def test_what_is_no_study_is_not_served(command, tmp_path) -> None:
    code, _, err = command("serve", tmp_path)
    assert code == 3
    assert "holds no study" in err


def test_the_command_serves_until_it_is_interrupted(command, folder, monkeypatch) -> None:
    folder.commit(folder.training)
    pages = []

    def interrupted(served: Served) -> None:
        pages.append(get(served.place.address))
        raise KeyboardInterrupt

    monkeypatch.setattr(Served, "wait", interrupted)
    code, out, err = command("serve", folder.path)
    assert code == 0
    assert re.fullmatch(r"serving .*: http://127\.0\.0\.1:\d+/ \(Ctrl-C ends it\)\n", out)
    assert err == ""
    assert "97.2%" in pages[0]
    code, out, err = command("serve", folder.path, "--host", "0.0.0.0", "--token", "this-is-known-to-me")
    assert code == 0, err
    assert "?token=this-is-known-to-me (" in out
    assert "not encrypted" in err
    assert "97.2%" not in pages[1]  # until the cookie is there
    code, _, err = command("serve", folder.path, "--token", "short")
    assert code == 2
    assert "--token: expected at least 16" in err


HOSTILE = {
    "GET /../../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n": 404,
    "GET //etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n": 404,
    "GET /%2e%2e/%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n": 404,
    "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n": 400,
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n": 400,
    "GET / HTTP/1.0\r\n\r\n": 400,
    "GET / HTTP/1.1\r\n\r\n": 400,
    "GET /\0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n": 400,
    f"GET /{'a' * 30_000} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n": 404,
    "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nabc": 405,
    "CONNECT evil.example:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n": 405,
    "\x16\x03\x01 no HTTP at all\r\n\r\n": 400,
}


def test_what_no_browser_sends_is_refused_on_the_socket_too(folder) -> None:
    place = bind()
    served = Served(folder.path, place)
    try:
        for request, expected in HOSTILE.items():
            with socket.create_connection(("127.0.0.1", place.port), timeout=20) as connection:
                connection.sendall(request.encode("latin-1"))
                answer = connection.recv(2**16).decode("latin-1")
            assert answer.startswith(f"HTTP/1.1 {expected} "), (request[:80], answer[:200])
            assert "root:" not in answer
    finally:
        served.close()
