"""What a request shows of who sends it."""

import base64
from typing import Dict, Optional

import pytest

from data_service.web.claims import (
    COOKIE,
    SECRET_CHARACTERS_MAX,
    SECURE_COOKIE,
    Claim,
    Password,
    Token,
    claim_of,
    cookie,
    session_of,
)
from data_service.web.exchange.http_head import Head
from data_service.web.exchange.remote_exceptions import RemoteException

LONG = "x" * (SECRET_CHARACTERS_MAX + 1)


TLS = {"x-forwarded-proto": "https"}


def head(**headers: str) -> Head:
    """The head of a request with these headers."""
    return Head("GET", b"/", headers, 0, True, False, 1)


def basic(text: bytes) -> str:
    """The value of Authorization for these bytes."""
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize("headers, delegation, claim", [
    ({}, "", None),
    ({"authorization": basic(b"alice:w1x")}, "", Password("alice", "w1x")),
    ({"authorization": basic("é:a:b".encode()).replace("B", "b", 1)}, "", Password("é", "a:b")),
    ({"authorization": basic(b"alice")}, "", Password("alice", "")),
    ({"authorization": "Negotiate abc"}, "", None),
    ({"authorization": "Basic"}, "t", Token("t")),
    ({"cookie": f"a=b; {COOKIE}=t"}, "", Token("t", True)),
    ({"cookie": f"{COOKIE}=t; {SECURE_COOKIE}=s; {COOKIE}=u"}, "", Token("t", True)),
    ({"cookie": f"{COOKIE}=t; {SECURE_COOKIE}=s", **TLS}, "", Token("s", True)),
    ({"cookie": f"{COOKIE}=t", **TLS}, "", None), ({"cookie": f"{SECURE_COOKIE}=s"}, "", None),
    ({"cookie": f"{COOKIE}=t", "authorization": basic(b"bob:x")}, "", Token("t", True)),
    ({"cookie": f"{COOKIE}=t", "authorization": basic(b"bob:x")}, "d", Token("d")),
    ({"cookie": f"{COOKIE}={LONG}"}, "", None), ({"cookie": ";;=;a"}, "", None),
])  # fmt: skip
def test_one_of_several_claims_is_heard(
    headers: Dict[str, str], delegation: str, claim: Optional[Claim]
) -> None:
    assert claim_of(head(**headers), delegation) == claim


@pytest.mark.parametrize("headers, delegation", [
    ({"authorization": "Basic %%%"}, ""), ({"authorization": "Basic"}, ""),
    ({"authorization": basic(b"\xff:x")}, ""), ({"authorization": basic(b":x")}, ""),
    ({"authorization": basic(b"a\nb:x")}, ""), ({"authorization": basic(b"a" * 256 + b":x")}, ""),
    ({"authorization": basic(b"a:" + LONG.encode())}, ""), ({}, LONG),
])  # fmt: skip
def test_what_is_no_claim_is_refused(headers: Dict[str, str], delegation: str) -> None:
    with pytest.raises(RemoteException) as caught:
        claim_of(head(**headers), delegation)
    assert caught.value.kind.status == 400 and len(caught.value.message) < 200


@pytest.mark.parametrize("peer, told, visitor", [
    ("10.0.0.1", "", "10.0.0.1"), ("10.0.0.1", "6.6.6.6", "10.0.0.1"),
    ("127.0.0.1", "", "127.0.0.1"), ("127.0.0.1", "6.6.6.6, 10.0.0.1", "10.0.0.1"),
    ("::/64", "10.0.0.1", "10.0.0.1"), ("127.0.0.1", "6.6.6.6,", "127.0.0.1"),
    ("127.0.0.1", "x" * 999, "x" * 64),
])  # fmt: skip
def test_whose_failures_they_are_a_proxy_of_this_machine_may_say(
    peer: str, told: str, visitor: str
) -> None:
    asked = head(**({"x-forwarded-for": told} if told else {}))._replace(peer=peer)
    assert asked.visitor == visitor


def test_no_claim_can_be_read_where_it_is_noted() -> None:
    for claim in (Password("alice", "hidden"), Token("hidden"), Token("hidden", True)):
        assert "hidden" not in repr(claim) and b"hidden" not in claim.digest
    assert repr(Password("a\x1b", "x")) == r"<Password of 'a\x1b'>"


def test_what_stands_for_a_claim_is_another_for_each() -> None:
    claims = (Password("a", "bc"), Password("ab", "c"), Token("abc"), Password("a", "b"))
    assert len({claim.digest for claim in claims}) == len(claims)
    assert Token("t").digest == Token("t", True).digest, "it is the same token"


@pytest.mark.parametrize("secure, name", [(False, COOKIE), (True, SECURE_COOKIE)])
def test_a_session_begins_and_ends_with_its_cookie(secure: bool, name: str) -> None:
    begun, ended = cookie("t", secure), cookie("", secure)
    assert begun.startswith(f"{name}=t; ") and ended.startswith(f"{name}=; ")
    for part in ("Path=/", "HttpOnly", "SameSite=Strict"):
        assert part in begun.split("; ") and part in ended.split("; ")
    assert ("Secure" in begun.split("; ")) == secure
    assert "Max-Age=0" in ended and "Max-Age" not in begun
    way = TLS if secure else {}
    assert session_of(head(cookie=begun.partition(";")[0], **way)) == "t"
