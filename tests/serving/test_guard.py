"""Who gets an answer, and that no path leads out of the store."""

import asyncio
import random
import re

import pytest
from tests.serving.asking import ask, client_of

from nasaudit.errors import SpecError, StoreError
from nasaudit.serving.app import make_app
from nasaudit.serving.guard import POLICY, REPORT_POLICY
from nasaudit.serving.server import LOOPBACK_NAMES, bind

TOKEN = "a-token-of-the-tests"
SECRET = "the secret of another folder"


@pytest.fixture
def client(folder):
    folder.commit(folder.training)
    with client_of(folder.path) as asking:
        yield asking


def test_names_of_this_machine_are_answered(client):
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert client.get("/", headers={"host": host}).status_code == 200


def test_a_name_that_was_made_to_lead_here_is_not(client):
    evil = ("evil.example", "127.0.0.1.evil.example:8000", "localhost.evil.example", "evil.example:localhost")
    for host in (*evil, "", "[::2]"):
        answer = client.get("/", headers={"host": host})
        assert answer.status_code == 400
        assert "small" not in answer.text


def test_other_methods_than_to_look_are_refused(client):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"):
        for path in ("/", "/live", "/nothing"):
            assert client.request(method, path).status_code == 405


def test_head_is_get_without_the_page(client):
    answer = client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_pages_of_other_sites_cannot_make_a_browser_ask(client):
    cross = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "empty"}
    assert client.get("/live?report=1", headers=cross).status_code == 403
    assert client.get("/", headers={**cross, "sec-fetch-dest": "iframe"}).status_code == 403
    # A link leads here like any other.
    assert client.get("/", headers={**cross, "sec-fetch-dest": "document"}).status_code == 200


def test_every_answer_says_what_a_browser_may_do_with_it(client):
    for path in ("/", "/live", "/live.js", "/live.css", "/report", "/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
    for policy in (POLICY, REPORT_POLICY):
        assert "default-src 'none'" in policy
        assert not re.search(r"https?:|\*|allow-same-origin|unsafe-eval", policy)
    assert "unsafe" not in POLICY


def test_a_token_opens_the_page_once_and_a_cookie_keeps_it_open(folder):
    with client_of(folder.path, TOKEN, hosts=None) as client:
        for refused in (
            client.get("/"),
            client.get("/live"),
            client.get("/?token="),
            client.get("/?token=x" + TOKEN),
        ):
            assert refused.status_code == 401
            assert "small" not in refused.text
        entered = client.get("/", params={"token": TOKEN, "q": 'a"><b'}, headers={"host": "lab.example:80"})
        assert entered.status_code == 200
        assert 'content="0;url=/?q=a%22%3E%3Cb"' in entered.text  # without the token
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        client.cookies.clear()
        kept = {"cookie": f"nasaudit-8000={TOKEN}"}
        assert "small" in client.get("/", headers=kept).text
        assert client.get("/", headers={b"cookie": b"nasaudit-8000=\xff"}).status_code == 401
        assert client.get("/", headers={"cookie": f"nasaudit-8001={TOKEN}"}).status_code == 401


@pytest.mark.parametrize(
    "token", ["short", "with a space in it!", "ümlauts-and-more-than-16", "1234567890123456"]
)
def test_a_token_that_could_be_guessed_or_hurts_an_address_is_refused(token):
    with pytest.raises(SpecError, match="--token"):
        bind(token=token)


def test_beyond_loopback_there_is_always_a_token():
    first, second = bind("0.0.0.0"), bind("0.0.0.0")
    assert len(first.token) >= 32
    assert first.token != second.token
    assert first.token in first.address
    assert first.hosts is None
    home = bind()
    assert (home.token, home.local) == ("", True)
    assert home.address == f"http://127.0.0.1:{home.port}/"
    assert bind(token=TOKEN).token == TOKEN
    with pytest.raises(StoreError, match=f"cannot serve at 127.0.0.1:{home.port}"):
        bind(port=home.port)
    with pytest.raises(StoreError, match="choose an address of this machine"):
        bind("no.such.host.invalid")
    for place in (first, second, home):
        place.listening.close()


def hostile_paths(digest, secret, seed, count):
    """Paths that a server could take for one of the disk: ways up, codings of them, ends of strings, long ones."""
    rng = random.Random(seed)
    ups = ["..", "%2e%2e", "%252e%252e", "..%2f", "%2e%2e%5c", "..%c0%af", ".%00.", "....//", "\uff0e\uff0e"]
    starts = ["", "tasks", "live", "report.html", "live.css", "store/records", "file:", "C:"]
    starts += [digest[:2], f"tasks/{digest}"]
    ends = [secret, secret.lstrip("/"), "secret.txt", "study.json", "record.json", "etc/passwd"]
    ends += [
        digest,
        digest.upper(),
        f"{digest}%00",
        f"{digest}.txt",
        f"{digest}/record.json",
        f"{digest}/secret.txt",
    ]
    ends += ["%00", "\N{SNOWMAN}", "a" * 4000, "*", "{digest}", "\ud800", "?token=x", "#", "%", "%zz", ";"]
    ends += ["\\..\\secret.txt", "%0d%0aset-cookie:%20a=b"]
    slashes = ["/", "//", "%2f", "\\", "/./"]
    for _ in range(count):
        parts = [rng.choice(starts), *rng.choices(ups, k=rng.randrange(8)), rng.choice(ends)]
        path = "/" + rng.choice(slashes).join(parts)
        if rng.random() < 0.2:
            place = rng.randrange(len(path))
            path = path[:place] + chr(rng.randrange(1, 0x500)) + path[place:]
        yield path


@pytest.mark.parametrize("seed", [1, 2])
def test_no_path_leads_out_of_the_store(folder, tmp_path, seed):
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    folder.commit(folder.training)
    digest = folder.training.digest()
    (folder.store.path(digest) / "secret.txt").write_text(SECRET)
    app, closing = make_app(folder.path, LOOPBACK_NAMES, "", 8000)

    async def ask_all():
        codes = set()
        for path in hostile_paths(digest, str(secret), seed, 3000):
            code, headers, body = await ask(app, path)
            codes.add(code)
            assert code in (200, 400, 404, 405), path
            assert SECRET.encode() not in body, path
            assert b"root:" not in body, path
            assert all(b"\r" not in value and b"\n" not in value for _, value in headers)
        return codes

    with closing:
        assert 404 in asyncio.run(ask_all())
        # And what is asked for properly is answered.
        code, _, body = asyncio.run(ask(app, f"/tasks/{digest}"))
        assert code == 200
        assert b"clean_accuracy" in body


def test_no_query_makes_an_error(folder):
    rng = random.Random(3)
    names = ["q", "state", "page", "seen", "token", "x"]
    letters = "%&=;+/\\.\x00\u202e<>'\"\ud800\u00e90123456789abc"
    app, closing = make_app(folder.path, LOOPBACK_NAMES, "", 8000)

    async def ask_all():
        for _ in range(1000):
            pairs = [
                f"{rng.choice(names)}={''.join(rng.choices(letters, k=rng.randrange(30)))}" for _ in range(3)
            ]
            path = f"{rng.choice(['/', '/live', '/report.html'])}?{'&'.join(pairs)}"
            code, _, _ = await ask(app, path)
            assert code in (200, 404), path

    with closing:
        asyncio.run(ask_all())


def test_a_digest_of_another_study_in_the_same_store_is_not_shown(folder):
    other = "0" * 20
    folder.commit(folder.training)
    source = folder.store.path(folder.training.digest())
    target = folder.store.path(other)
    target.mkdir(parents=True)
    (target / "record.json").write_bytes((source / "record.json").read_bytes())
    with client_of(folder.path) as client:
        assert client.get(f"/tasks/{other}").status_code == 404
