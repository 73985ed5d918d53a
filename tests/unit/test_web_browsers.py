"""What pages of other sites can have a browser do at the gateway, and what browsers are told."""

from typing import Dict

import pytest

from data_service.web.exchange.answers import Answer, head_of
from tests.support.models.web_asker import Asker

MKDIRS = "/webhdfs/v1/new?op=MKDIRS&user.name=root"
STATUS = "/webhdfs/v1/d?op=GETFILESTATUS&user.name=root"
HUE = "https://hue:8888"


@pytest.fixture
def ask() -> Asker:
    """A gateway that is known as `web`, and lets pages of HUE in."""
    return Asker()


@pytest.mark.parametrize("headers, changes, reads", [
    ({}, True, True),
    ({"Origin": "http://web:9870"}, True, True),
    ({"Origin": "http://web:9870", "Sec_Fetch_Site": "same-origin"}, True, True),
    ({"Origin": "null", "Sec_Fetch_Site": "same-origin"}, True, True),
    ({"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}, True, True),
    ({"Origin": HUE}, True, True),
    ({"Origin": HUE, "Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"}, True, True),
    # A link that somebody follows shows what is here, to him.
    ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, False, True),
    ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate",
      "Sec_Fetch_Dest": "document"}, False, True),
    ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate",
      "Sec_Fetch_Dest": "iframe"}, False, False),
    ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, False, False),
    ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"}, False, False),
    ({"Origin": "http://web:9870", "Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"},
     False, False),
    # Another server of this machine, a part of an allowed name, and a frame that hides its own.
    ({"Origin": "http://web:8080"}, False, True),
    ({"Origin": HUE + ".evil.org"}, False, True),
    ({"Origin": "https://evil.org#" + HUE}, False, True),
    ({"Origin": "http://hue:8888"}, False, True),
    ({"Origin": "null"}, False, True),
    ({"Origin": "http://evil.org", "X_Requested_By": "page"}, False, True),
])  # fmt: skip
def test_who_sent_a_request_decides_what_it_may_do(
    ask: Asker, headers: Dict[str, str], changes: bool, reads: bool
) -> None:
    for method, target in (("PUT", MKDIRS), ("POST", MKDIRS), ("DELETE", MKDIRS)):
        assert (ask.raw(method, target, **headers).status != 403) == changes
    assert ask.fs.exists("/new") == changes
    reply = ask.raw("GET", STATUS, **headers)
    assert reply.status == (200 if reads else 403)
    assert reads or "/d" not in reply.error


@pytest.mark.parametrize("cookie, scheme", [
    ("pyhdfs-session=t", "http"), ("a=b; __Host-pyhdfs-session=t", "https"),
])
def test_a_cookie_changes_nothing_without_a_header_that_no_form_has(
    ask: Asker, cookie: str, scheme: str
) -> None:
    sent = {"Cookie": cookie, "X_Forwarded_Proto": scheme}
    assert ask.raw("PUT", MKDIRS, **sent).error == (
        "AccessControlException: a change that comes with a cookie needs the header "
        "X-Requested-By")
    assert ask.raw("GET", STATUS, **sent).status == 200
    for header in ("X_Requested_By", "X_XSRF_HEADER"):
        assert ask.raw("PUT", MKDIRS, **sent, **{header: "page"}).status == 200
    assert ask.raw("PUT", MKDIRS, Cookie="other=t; pyhdfs-sessions=t").status == 200


def test_a_page_of_a_named_site_is_let_in_and_no_other_one_hears_of_it(ask: Asker) -> None:
    asks_first = {"Access_Control_Request_Method": "PUT",
                  "Access_Control_Request_Headers": "authorization"}
    allowed = ask.raw("OPTIONS", MKDIRS, Origin=HUE, **asks_first)
    assert allowed.status == 200 and allowed.headers["Access-Control-Allow-Origin"] == HUE
    assert "DELETE" in allowed.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    assert int(allowed.headers["Access-Control-Max-Age"]) > 0
    for target in (STATUS, STATUS.replace("/d", "/missing")):
        reply = ask.raw("GET", target, Origin=HUE)
        assert reply.headers["Access-Control-Allow-Origin"] == HUE, "errors are told, too"
        assert "Access-Control-Allow-Credentials" not in reply.headers
    for origin in ("https://evil.org", "null", "*", HUE.upper(), ""):
        for method in ("OPTIONS", "GET"):
            refused = ask.raw(method, STATUS, Origin=origin, **asks_first)
            assert not [name for name in refused.headers if name.startswith("Access-Control")]


def test_every_answer_tells_a_browser_to_make_nothing_of_it() -> None:
    head = head_of(Answer(200, b"<script>"), keeps_open=True, chunked=False).decode()
    for line in ("X-Content-Type-Options: nosniff", "Cross-Origin-Resource-Policy: same-origin",
                 "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
                 "Referrer-Policy: no-referrer", "Vary: Accept-Encoding, Origin"):
        assert line in head.split("\r\n")
    own = Answer(200, headers=(("Content-Security-Policy", "default-src 'self'"),))
    assert "default-src 'none'" not in head_of(own, keeps_open=True, chunked=False).decode()


def test_a_file_is_never_shown_as_a_page(ask: Asker) -> None:
    ask.fs.write("/d/x.html", b"<script>alert(1)</script>")
    reply = ask.raw("GET", "/webhdfs/v1/d/x.html?op=OPEN&data=true&user.name=root")
    assert reply.content_type == "application/octet-stream"
    assert reply.headers["Content-Disposition"] == "attachment"
