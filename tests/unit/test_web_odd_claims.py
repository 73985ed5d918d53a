"""Requests that are nearly right, in the name of somebody: no defect of ours shows, and nobody who
does not prove it becomes somebody."""

import random

import pytest

from data_service.web import proven_visitors
from data_service.web.exchange.body import Body
from data_service.web.exchange.http_head import HEAD_END, parse
from data_service.web.exchange.remote_exceptions import RemoteException
from tests.support.links.loopback import mutate
from tests.support.models.proving_asker import ProvingAsker
from tests.support.models.web_asker import inbox_of

LOGIN = b'{"user": "alice", "password": "pa"}'


@pytest.mark.parametrize("seed", range(4))
def test_odd_requests_are_answered_and_make_nobody_somebody(seed: int) -> None:
    chance, ask = random.Random(seed), ProvingAsker()
    ask.tokens["token"] = "alice"
    basic = ask.basic("alice", "pa").encode()
    templates = [
        b"GET /webhdfs/v1/d?op=GETFILESTATUS&user.name=alice&doas=bob HTTP/1.1\r\nHost: web\r\n"
        b"Authorization: " + basic,
        b"GET /who?delegation=token HTTP/1.1\r\nHost: web\r\nSec-Fetch-Site: same-origin",
        b"PUT /webhdfs/v1/x?op=MKDIRS HTTP/1.1\r\nHost: web\r\nX-Requested-By: page\r\n"
        b"Cookie: a=b; pyhdfs-session=token; c=d\r\nOrigin: http://web",
        b"PUT /webhdfs/v1/?op=CANCELDELEGATIONTOKEN&token=token HTTP/1.1\r\nHost: web\r\n"
        b"Authorization: " + basic,
        b"POST /login HTTP/1.1\r\nHost: web\r\nX-Requested-By: page\r\nContent-Length: 35",
        b"POST /logout HTTP/1.1\r\nHost: web\r\nX-Requested-By: page\r\n"
        b"Cookie: pyhdfs-session=token",
    ]
    seen = set()
    for _ in range(400):
        ask.tokens["token"] = "alice"
        ask.moment += proven_visitors.PROOF_SECONDS
        ask.tried.clear()
        try:
            head = parse(mutate(chance.choice(templates), chance) + HEAD_END)
        except RemoteException:
            continue
        data = mutate(LOGIN, chance)[: head.length or 0]
        body = Body(inbox_of(data) if data else inbox_of(), len(data))
        with ask.front.answering(head, body) as answer:
            seen.add(answer.status)
            assert answer.status < 500, (head, data)
            if answer.status in (200, 201) and not head.target.startswith(b"/logout"):
                assert ask.tried or head.method == "OPTIONS", "the namenode was asked"
    assert {200, 400, 401, 403} <= seen
    assert set(ask.tokens.values()) <= {"alice"} and not ask.fs.exists("/x")
