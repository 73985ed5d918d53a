"""The page's visitors: logging in and out, the session's cookie, and who is there."""

import json
from typing import Dict

import pytest

from data_service.web import proven_visitors
from data_service.web.identity_door import BODY_BYTES_MAX
from tests.support.models.proving_asker import ProvingAsker
from tests.support.models.web_asker import Asker, Reply

PAGE = {"X_Requested_By": "page"}
ALICE = {"user": "alice", "mode": "secret", "superuser": False, "home": "/user/alice"}


@pytest.fixture
def ask() -> ProvingAsker:
    """A gateway, and the cluster that judges for it."""
    return ProvingAsker()


def log_in(ask: Asker, user: str, password: str, **headers: str) -> Reply:
    """What the page hears that logs somebody in."""
    body = json.dumps({"user": user, "password": password}).encode()
    return ask.raw("POST", "/login", body, **PAGE, **headers)


def session(reply: Reply) -> Dict[str, str]:
    """The headers of a page whose browser took the cookie."""
    return {"Cookie": reply.headers["Set-Cookie"].partition(";")[0], **PAGE}


def test_a_session_is_a_token_of_the_visitor_and_ends_with_it(ask: ProvingAsker) -> None:
    entered = log_in(ask, "alice", "pa")
    assert (entered.status, entered.body) == (200, ALICE)
    assert entered.headers["Set-Cookie"].startswith("pyhdfs-session=token0-alice-gateway; ")
    page = session(entered)
    assert ask.raw("GET", "/who", **page).body == ALICE
    assert ask.raw("GET", "/webhdfs/v1/d?op=GETFILESTATUS", **page).status == 200
    made = ask.raw("PUT", "/webhdfs/v1/d/x?op=MKDIRS", **page)
    assert made.status == 403 and "user=alice" in made.error
    left = ask.raw("POST", "/logout", **page)
    assert left.status == 200 and "Max-Age=0" in left.headers["Set-Cookie"]
    assert ask.tokens == {}, "it is cancelled, not only forgotten"
    again = ask.raw("GET", "/who", **page)
    assert again.status == 401 and "WWW-Authenticate" not in again.headers
    assert ask.raw("POST", "/logout", **page).status == 200, "what is over can be ended again"
    assert ask.raw("POST", "/logout", **PAGE).status == 200


def test_a_page_waits_for_nobody_while_nobody_leads(ask: ProvingAsker) -> None:
    """To be told whom it shows itself to, and to log out, took as long as one waits for files."""
    page = session(log_in(ask, "root", "pr"))
    assert ask.raw("GET", "/who", **page).body["superuser"]
    ask.down = ask.recovers = True
    who = ask.raw("GET", "/who", **page)
    assert (who.status, who.body["superuser"]) == (200, False)
    left = ask.raw("POST", "/logout", **page)
    assert left.status == 200 and "Max-Age=0" in left.headers["Set-Cookie"]
    for user, password in (("root", "pr"), ("alice", "pa")):
        entered = log_in(ask, user, password)
        assert entered.status == 503 and "no namenode that leads" in entered.error, user
    assert ask.down, "nobody has waited"


def test_who_logs_in_anew_ends_the_session_before(ask: ProvingAsker) -> None:
    page = session(log_in(ask, "alice", "pa"))
    page.pop("X_Requested_By")
    refused = log_in(ask, "alice", "wrong", **page)
    assert refused.status == 401 and len(ask.tokens) == 1, "by a wrong password nobody ends one"
    assert log_in(ask, "root", "pr", **page).status == 200
    assert [owner for owner in map(str, ask.tokens) if "alice" in owner] == []
    assert len(ask.tokens) == 1


def test_the_superuser_is_told_that_he_is_one(ask: ProvingAsker) -> None:
    entered = log_in(ask, "root", "pr")
    assert entered.body["superuser"] is True and entered.body["home"] == "/user/root"


def test_who_is_logged_in_is_known_while_the_namenode_does_not_answer(ask: ProvingAsker) -> None:
    page = session(log_in(ask, "root", "pr"))
    assert ask.raw("GET", "/who", **page).body["superuser"]
    ask.down = True
    known = ask.raw("GET", "/who", **page).body
    assert (known["user"], known["superuser"]) == ("root", False)
    ask.down = False
    ask.tokens.clear()
    assert ask.raw("GET", "/who", **page).status == 401


def test_a_cookie_of_tls_is_for_tls_only(ask: ProvingAsker) -> None:
    tls = {"X_Forwarded_Proto": "https"}
    entered = log_in(ask, "alice", "pa", **tls)
    assert entered.headers["Set-Cookie"].startswith("__Host-pyhdfs-session=")
    assert entered.headers["Set-Cookie"].endswith("; Secure")
    assert ask.raw("GET", "/who", **session(entered), **tls).body == ALICE
    assert ask.raw("GET", "/who", **session(entered)).status == 401
    planted = session(log_in(ask, "bob", "pb"))
    assert ask.raw("GET", "/who", **planted).body["user"] == "bob"
    assert ask.raw("GET", "/who", **planted, **tls).status == 401, "by whom it was set, none knows"


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.org"}, {"Sec_Fetch_Site": "cross-site"}, {"Origin": "null"},
])  # fmt: skip
def test_a_page_of_another_site_logs_nobody_in_or_out(
    ask: ProvingAsker, headers: Dict[str, str]
) -> None:
    refused = log_in(ask, "alice", "pa", **headers)
    assert refused.status == 403 and "Set-Cookie" not in refused.headers
    page = session(log_in(ask, "alice", "pa"))
    assert ask.raw("POST", "/logout", **page, **headers).status == 403
    del page["X_Requested_By"]
    assert ask.raw("POST", "/logout", **page).status == 403
    assert len(ask.tokens) == 1


def test_a_session_in_use_is_prolonged_now_and_then(ask: ProvingAsker) -> None:
    page = session(log_in(ask, "alice", "pa"))
    for _ in range(5):
        assert ask.raw("GET", "/who", **page).status == 200
    assert ask.renewed == ["token0-alice-gateway"]
    ask.moment += proven_visitors.RENEW_SECONDS
    ask.raw("GET", "/who", **page)
    assert len(ask.renewed) == 2
    token = page["Cookie"].partition("=")[2]
    ask.moment += proven_visitors.RENEW_SECONDS
    assert ask.raw("GET", f"/who?delegation={token}").status == 200
    assert len(ask.renewed) == 2, "a program's token is prolonged by its renewer"


def test_a_session_that_cannot_be_prolonged_goes_on_while_it_lasts(ask: ProvingAsker) -> None:
    ask.tokens["foreign"] = "alice"
    cookie = {"Cookie": "pyhdfs-session=foreign", **PAGE}
    assert ask.raw("GET", "/who", **cookie).body == ALICE
    assert ask.renewed == []


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"\xff", b'{"password": "x"}', b'{"user": 1, "password": "x"}',
    b'{"user": "alice", "password": {}}', b'{"user": "", "password": "x"}',
    b'{"user": "a\\nb", "password": "x"}', b'{"user": "a\\ud800", "password": "x"}',
    b'{"user": "alice", "password": "\\ud800"}',
    b"[" * 10_000, b" " * (BODY_BYTES_MAX + 1), b'{"user": "' + b"x" * 300 + b'"}',
    b'{"user": "alice", "password": "' + b"x" * 5000 + b'"}',
], ids=range(16))  # fmt: skip
def test_what_names_nobody_logs_nobody_in(ask: ProvingAsker, body: bytes) -> None:
    reply = ask.raw("POST", "/login", body, **PAGE)
    assert reply.status == 400 and reply.error.startswith("IllegalArgumentException: ")
    assert len(reply.error) < 500 and ask.tried == []


@pytest.mark.parametrize("method, target, status", [
    ("GET", "/login", 405), ("GET", "/logout", 405), ("POST", "/who", 405),
    ("GET", "/who/x", 404), ("POST", "/login/", 404),
])  # fmt: skip
def test_each_path_has_its_method(
    ask: ProvingAsker, method: str, target: str, status: int
) -> None:
    assert ask.raw(method, target, **PAGE).status == status


def test_where_names_are_believed_a_session_is_a_name() -> None:
    ask = Asker()
    entered = log_in(ask, "alice", "")
    assert entered.body["user"] == "alice" and entered.body["mode"] == "simple"
    assert "Set-Cookie" not in entered.headers
    assert ask.raw("GET", "/who?user.name=bob").body["home"] == "/user/bob"
    assert ask.raw("GET", "/who").body["user"] == "dr.who"
    assert log_in(ask, "a b", "").status == 400
    none = ask.raw("GET", "/webhdfs/v1/?op=GETDELEGATIONTOKEN&user.name=alice")
    assert none.body == {"Token": None}
