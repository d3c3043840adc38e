"""Who may ask, and what a browser may do with an answer; the routes behind it need not think of either.

A page of somebody else's that is open in the same browser can send requests to a loopback address, and by a name of
its own that suddenly leads there it could read the answers. So the Host header must be one that leads here, and
requests from other sites' pages are refused. Beyond loopback there is a token.
"""

import hmac
import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Of our own pages: scripts and styles come from here, and nothing at all from elsewhere.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Of the report, whose scripts are in it (its own policy names them by digest): a document of no origin, so that not
# even a script that a record smuggled in could read another page of this server.
REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PORT = re.compile(r":\d{1,5}$")
# A redirect would still belong to the page that the link was on, and get no strict cookie; a refresh is our page's.
_ENTER = '<!doctype html><meta charset="utf-8"><title>nasaudit</title><meta http-equiv="refresh" content="0;url={}">'
_LEAVE = "This page needs its token: open the address that the command printed, with ?token=... at its end.\n"


class Guard:
    """ASGI middleware.

    Args:
        app: what is guarded.
        hosts: values of the Host header, without a port; None: any.
        token: that a visitor must know; "": none.
        port: which the cookie is named after, since cookies know no ports.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...] | None, token: str = "", port: int = 0):
        self._app, self._hosts, self._token = app, hosts, token
        self._cookie = f"nasaudit-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope)
        await (self._app if answer is None else answer)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("only GET and HEAD\n", 405, {"Allow": "GET, HEAD"})
        host = _PORT.sub("", headers.get("host", "").lower())
        if not host or (self._hosts is not None and host not in self._hosts):
            return PlainTextResponse("this address is not one of this server's\n", 400)
        site, kind = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-dest", "document")
        if site not in ("none", "same-origin") and kind != "document":
            return PlainTextResponse("not for pages of other sites\n", 403)
        return self._ask_for_token(scope, headers) if self._token else None

    def _ask_for_token(self, scope: Scope, headers: Headers) -> Response | None:
        if self._is_token(self._cookie_of(headers)):
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=None)
        given = query.pop("token", [""])[-1]
        if not self._is_token(given):
            return PlainTextResponse(_LEAVE, 401)
        rest = urlencode(query, doseq=True)
        answer = HTMLResponse(_ENTER.format("/?" + rest.replace("&", "&amp;") if rest else "/"))
        answer.set_cookie(self._cookie, given, httponly=True, samesite="strict", path="/")
        return answer

    def _cookie_of(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return "" if found is None else found.value

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="surrogatepass"), self._token.encode())
