"""A client of a study's page without a socket."""

import html
import re
from contextlib import contextmanager
from urllib.parse import unquote_to_bytes

from starlette.testclient import TestClient

from nasaudit.serving.app import make_app
from nasaudit.serving.server import LOOPBACK_NAMES


@contextmanager
def client_of(path, token="", hosts=LOOPBACK_NAMES, patient=False):
    app, closing = make_app(path, hosts, token, 8000, patient=patient)
    with closing:
        yield TestClient(app, base_url="http://127.0.0.1:8000", follow_redirects=False)


def text_of(answer) -> str:
    """What a reader sees of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


async def ask(app, path):
    """The status, headers and body of a path that no client's library tidied up, as a server hands it on."""
    raw = path.encode("utf-8", "surrogatepass")
    route, _, query = raw.partition(b"?")
    scope = {
        "type": "http", "method": "GET", "http_version": "1.1", "scheme": "http", "root_path": "",
        "path": unquote_to_bytes(route).decode("utf-8", "replace"), "raw_path": route, "query_string": query,
        "headers": [(b"host", b"127.0.0.1")], "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], sent[0]["headers"], b"".join(message.get("body", b"") for message in sent[1:])
