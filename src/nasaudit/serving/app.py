"""The routes. Each reads what was seen last of the study, and names nothing of the disk.

A path is matched as a whole against a handful of patterns; the only part of one that is a variable is a digest, which
must be hexadecimal, and of a task of the study.
"""

import asyncio
import json
import re
import time
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from nasaudit.report.page import style
from nasaudit.serving.guard import REPORT_POLICY, Guard
from nasaudit.serving.pages import Filter, Pages
from nasaudit.serving.records import Opened, opened
from nasaudit.serving.reports import Reports
from nasaudit.serving.watch import Look, Watch
from nasaudit.store.store import Store

DIGEST = re.compile("[0-9a-f]{20}")
UNCHANGED = 204
FIRST = 3.0  # seconds that a page waits for the first look at a study


def make_app(
    folder: Path, hosts: tuple[str, ...] | None, token: str = "", port: int = 0, *, patient: bool = False
) -> tuple[Starlette, ExitStack]:
    """The application of a study's folder, and what ends its threads.

    Args:
        folder: of the study.
        hosts: what the Host header may say, without a port; None: anything.
        token: that a visitor must know; "": none is needed.
        port: that it is served on.
        patient: whether a folder without a study is one whose run has not begun.
    """
    closing = ExitStack()
    watch, reports = Watch(folder, patient=patient), Reports(folder)
    closing.callback(watch.close)
    closing.callback(reports.close)
    return make_routes(watch, reports, Middleware(Guard, hosts=hosts, token=token, port=port)), closing


def make_routes(watch: Watch, reports: Reports, guard: Middleware) -> Starlette:
    """The application of what watches a study and what draws its report."""
    pages = Pages(watch.folder)
    sheet = str(style()) + _asset("live.css")
    script = _asset("live.js")

    async def study(request: Request) -> Response:
        return HTMLResponse(pages.study(await _look(watch), _filter(request), reports))

    async def live(request: Request) -> Response:
        look = await _look(watch)
        if "report" in request.query_params:
            _ask(reports, watch)
        digest = request.query_params.get("task")
        if digest is not None and look is not None and look.store is not None:
            parts = pages.task_parts(look, _opened(look, look.store, digest))
        else:
            parts = pages.parts(look, _filter(request), reports)
        if request.query_params.get("seen") == parts["version"]:
            return Response(status_code=UNCHANGED)
        return Response(json.dumps(parts), media_type="application/json")

    async def task(request: Request) -> Response:
        look, digest = await _look(watch), request.path_params["digest"]
        if look is None or look.store is None:
            return HTMLResponse(pages.study(look, Filter(), reports))
        return HTMLResponse(pages.task(look, _opened(look, look.store, digest)))

    async def report(request: Request) -> Response:
        _ask(reports, watch)
        return HTMLResponse(pages.report(await _look(watch), reports))

    async def drawn(request: Request) -> Response:
        latest = reports.latest
        if latest is None:
            raise HTTPException(404)
        return HTMLResponse(latest.page, headers={"Content-Security-Policy": REPORT_POLICY})

    async def css(request: Request) -> Response:
        return Response(sheet, media_type="text/css")

    async def js(request: Request) -> Response:
        return Response(script, media_type="text/javascript")

    async def refused(request: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        return PlainTextResponse(f"{code}\n", code)

    routes = {
        "/": study,
        "/live": live,
        "/tasks/{digest}": task,
        "/report": report,
        "/report.html": drawn,
        "/live.css": css,
        "/live.js": js,
    }
    app = Starlette(
        routes=[Route(path, endpoint, methods=["GET"]) for path, endpoint in routes.items()],
        middleware=[guard],
        exception_handlers={HTTPException: refused},
    )
    app.router.redirect_slashes = False
    return app


async def _look(watch: Watch) -> Look | None:
    """What was seen last; the first look is waited for, but not for long."""
    until = time.monotonic() + FIRST
    while (look := watch.latest()) is None and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return look


def _opened(look: Look, store: Store, digest: str) -> Opened:
    """A task of the study by its digest, which anybody may have written."""
    if DIGEST.fullmatch(digest) is None or digest not in look.tasks:
        raise HTTPException(404)
    return opened(store, look.tasks[digest])


def _ask(reports: Reports, watch: Watch) -> None:
    look = watch.latest()
    if look is not None:
        reports.ask(look.records)


def _filter(request: Request) -> Filter:
    asked = request.query_params
    return Filter.of(asked.get("q", ""), asked.get("state", ""), asked.get("page", ""))


def _asset(name: str) -> str:
    return (files("nasaudit.serving") / "templates" / name).read_text(encoding="utf-8")
