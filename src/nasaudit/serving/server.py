"""A socket, and a thread that answers on it. What answers is imported when somebody first asks."""

import ipaddress
import secrets
import select
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nasaudit.errors import SpecError, StoreError

if TYPE_CHECKING:
    import uvicorn

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
LEAST_TOKEN, TOKEN_BYTES = 16, 24  # characters of one that is given, and bytes of one that is made
BACKLOG = 64
MOST_AT_ONCE = 100  # connections
ENDING = 5.0  # seconds that the thread is waited for at the end


@dataclass(frozen=True)
class Place:
    """Where a page is served.

    Attributes:
        listening: a socket.
        host: as an address names it.
        token: that a visitor must know; "": none is needed.
        local: whether this machine alone reaches it.
    """

    listening: socket.socket
    host: str
    token: str
    local: bool

    @property
    def port(self) -> int:
        """Of the socket."""
        return int(self.listening.getsockname()[1])

    @property
    def address(self) -> str:
        """What to open, with the token."""
        return f"http://{self.host}:{self.port}/{f'?token={self.token}' if self.token else ''}"

    @property
    def hosts(self) -> tuple[str, ...] | None:
        """What the Host header may say, without a port; None: anything."""
        return (*LOOPBACK_NAMES, self.host.lower()) if self.local else None


def bind(host: str = LOOPBACK, port: int = 0, token: str = "") -> Place:
    """Take a port.

    Args:
        host: an address of this machine, or a name of one.
        port: 0: any that is free.
        token: that a visitor must know; "": none on loopback, a new one beyond it.

    Raises:
        SpecError: a token that could be guessed, or that no address can hold.
        StoreError: the machine does not have the address, or the port is taken.
    """
    if token and not (
        len(token) >= LEAST_TOKEN and token.isascii() and token.replace("-", "_").isidentifier()
    ):
        raise SpecError("--token", f"at least {LEAST_TOKEN} letters, digits, - and _, no digit first", token)
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
    except (OSError, UnicodeError, OverflowError) as error:
        raise StoreError(f"cannot serve at {host}: {error}; choose an address of this machine") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise StoreError(
            f"cannot serve at {host}:{port}: {getattr(error, 'strerror', None) or error}; choose another --port"
        ) from error
    bound = str(listening.getsockname()[0])
    local = ipaddress.ip_address(bound.partition("%")[0]).is_loopback
    if not local:
        token = token or secrets.token_hex(TOKEN_BYTES)
    # Nobody can open 0.0.0.0; the machine's name is what others may know it by.
    named = socket.gethostname() if ipaddress.ip_address(bound.partition("%")[0]).is_unspecified else bound
    return Place(listening, f"[{named}]" if ":" in named else named, token, local)


class Served:
    """A study's page, until it is closed.

    Args:
        folder: of the study.
        place: where.
        patient: whether a folder without a study is one whose run has not begun.

    Attributes:
        place: where.
    """

    def __init__(self, folder: Path, place: Place, *, patient: bool = False):
        self._folder, self.place, self._patient = folder.absolute(), place, patient
        self._woken, self._wake = socket.socketpair()
        self._server: uvicorn.Server | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="nasaudit-serve", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the server ends, which it does when it cannot go on."""
        while self._thread.is_alive():
            self._thread.join(1.0)  # without a limit Ctrl-C would wait too

    def close(self) -> None:
        """Answer nobody any more."""
        self._ended = True
        self._wake.send(b"\0")
        if self._server is not None:
            self._server.should_exit = self._server.force_exit = True
        self._thread.join(ENDING)
        for each in (self._woken, self._wake, self.place.listening):
            each.close()

    def _run(self) -> None:
        # What answers takes a third of a second to import: the run that this stands beside pays for it when asked.
        select.select([self.place.listening, self._woken], [], [])
        if self._ended:
            return
        import uvicorn

        from nasaudit.serving.app import make_app

        app, closing = make_app(
            self._folder, self.place.hosts, self.place.token, self.place.port, patient=self._patient
        )
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MOST_AT_ONCE,
                timeout_graceful_shutdown=1,
            )
        )
        self._server = server
        server.should_exit = self._ended  # closed meanwhile
        with closing:
            server.run(sockets=[self.place.listening])
