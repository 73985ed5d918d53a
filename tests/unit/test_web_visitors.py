"""Who asks a gateway of mode `secret`: keys, tokens, proxies, and those who have none."""

from typing import Dict

import pytest

from data_service.web import attempts, proven_visitors
from tests.support.links.loopback import Recorder
from tests.support.models.proving_asker import ProvingAsker
from zookeeper.fabric import logs

PAGE = {"X_Requested_By": "page"}


@pytest.fixture
def ask() -> ProvingAsker:
    """A gateway, and the cluster that judges for it."""
    return ProvingAsker()


def test_who_proves_himself_works_as_he_and_is_proved_once(ask: ProvingAsker) -> None:
    for _ in range(3):
        assert ask.status("alice").status == 200
    assert ask.tried == ["pa"] * 4, "one to prove, three to work"
    assert len(ask.clients) == 1
    ask.status("bob")
    denied = ask.raw("PUT", "/webhdfs/v1/d/x?op=MKDIRS",
                     Authorization=ask.basic("alice", "pa"))
    assert denied.status == 403 and "user=alice" in denied.error
    home = ask.raw("GET", "/webhdfs/v1/?op=GETHOMEDIRECTORY",
                   Authorization=ask.basic("bob", "pb"))
    assert home.body == {"Path": "/user/bob"}


@pytest.mark.parametrize("user, password", [
    ("alice", "pb"), ("alice", ""), ("alice", "PA"), ("nobody", "pa"), ("alice\0", "pa"),
])  # fmt: skip
def test_who_does_not_prove_it_hears_nothing_else(
    ask: ProvingAsker, user: str, password: str
) -> None:
    ask.status("alice")
    refused = ask.raw("GET", "/webhdfs/v1/missing?op=GETFILESTATUS",
                      Authorization=ask.basic(user, password))
    assert refused.status in (400, 401) and "missing" not in refused.error
    assert ask.status("alice").status == 200


@pytest.mark.parametrize("headers, asked_for", [
    ({}, True), ({"Authorization": "Negotiate abc"}, True),
    ({"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Site": "none"}, True),
    (PAGE, False), ({"Sec_Fetch_Mode": "cors", "Sec_Fetch_Site": "same-origin"}, False),
])  # fmt: skip
def test_a_program_is_asked_for_a_password_and_a_page_shows_its_own_form(
    ask: ProvingAsker, headers: Dict[str, str], asked_for: bool
) -> None:
    for target in ("/webhdfs/v1/d?op=GETFILESTATUS&user.name=root", "/who", "/files/open"):
        reply = ask.raw("GET", target, **headers)
        assert reply.status == 401 and reply.error.startswith("SecurityException: say who you are")
        challenge = reply.headers.get("WWW-Authenticate", "")
        assert challenge == ('Basic realm="PyHDFS", charset="UTF-8"' if asked_for else "")
    assert ask.tried == []


def test_a_name_is_no_proof_and_must_be_the_one_that_was_proved(ask: ProvingAsker) -> None:
    assert ask.status("alice", "&user.name=alice").status == 200
    refused = ask.status("alice", "&user.name=root")
    assert (refused.status, refused.error) == (
        403, "AccessControlException: user.name is root, but it is alice who proved who he is")


def test_a_proxy_asks_for_others_as_far_as_the_namenode_lets_it(ask: ProvingAsker) -> None:
    home = "/webhdfs/v1/?op=GETHOMEDIRECTORY&user.name=hue&doas="
    hue = ask.basic("hue", "ph")
    assert ask.raw("GET", home + "alice", Authorization=hue).body == {"Path": "/user/alice"}
    assert ask.raw("GET", home + "hue", Authorization=hue).body == {"Path": "/user/hue"}
    for user, other in (("hue", "root"), ("bob", "alice")):
        refused = ask.status(user, f"&doas={other}")
        assert (refused.status, refused.error) == (
            403, f"AccessControlException: User: {user} is not allowed to impersonate {other}")
    location = ask.raw("GET", "/webhdfs/v1/d/f?op=OPEN&doas=alice", Authorization=hue).location
    assert "doas=alice" in location, "the second step is hers, too"


def test_a_token_says_for_whom_it_is(ask: ProvingAsker) -> None:
    made = ask.raw("GET", "/webhdfs/v1/?op=GETDELEGATIONTOKEN&renewer=bob",
                   Authorization=ask.basic("alice", "pa")).body
    token = made["Token"]["urlString"]
    home = f"/webhdfs/v1/?op=GETHOMEDIRECTORY&delegation={token}"
    assert ask.raw("GET", home).body == {"Path": "/user/alice"}
    assert ask.raw("GET", home + "&user.name=bob").status == 403
    assert ask.raw("GET", home + "&doas=bob").status == 400
    opened = ask.raw("GET", f"/webhdfs/v1/d/f?op=OPEN&delegation={token}")
    assert f"delegation={token}" in opened.location
    renewed = ask.raw("PUT", f"/webhdfs/v1/?op=RENEWDELEGATIONTOKEN&token={token}",
                      Authorization=ask.basic("bob", "pb"))
    assert renewed.body == {"long": 1} and ask.renewed == [token]
    cancelled = ask.raw("PUT", f"/webhdfs/v1/?op=CANCELDELEGATIONTOKEN&token={token}",
                        Authorization=ask.basic("alice", "pa"))
    assert (cancelled.status, cancelled.body) == (200, b"")
    refused = ask.raw("GET", home.replace("GETHOMEDIRECTORY", "GETFILESTATUS"))
    assert (refused.status, refused.error[:14]) == (403, "InvalidToken: ")


@pytest.mark.parametrize("op", ["RENEWDELEGATIONTOKEN", "CANCELDELEGATIONTOKEN"])
def test_a_token_that_is_not_good_makes_nobody_a_stranger(ask: ProvingAsker, op: str) -> None:
    """Who is told 401 shows his password again, or is asked for it; HDFS says 403."""
    refused = ask.raw("PUT", f"/webhdfs/v1/?op={op}&token=over",
                      Authorization=ask.basic("alice", "pa"))
    assert (refused.status, refused.error[:14]) == (403, "InvalidToken: ")
    assert "WWW-Authenticate" not in refused.headers and not ask.clients[0].closed


def test_a_key_that_is_void_from_now_on_opens_nothing(ask: ProvingAsker) -> None:
    assert ask.status("alice").status == 200
    kept = ask.clients[-1]
    ask.passwords["alice"] = "new"
    old = ask.basic("alice", "pa")
    refused = ask.raw("GET", "/webhdfs/v1/d?op=GETFILESTATUS", Authorization=old)
    assert refused.status == 401 and kept.closed
    assert "WWW-Authenticate" in refused.headers
    home = ask.raw("GET", "/webhdfs/v1/?op=GETHOMEDIRECTORY", Authorization=old)
    assert home.status == 401, "nor what asks the namenode nothing"
    assert ask.status("alice").status == 200


@pytest.mark.parametrize("target", ["/who", "/webhdfs/v1/?op=GETHOMEDIRECTORY"])
def test_a_void_key_is_noticed_also_where_the_namenode_is_not_needed(
    ask: ProvingAsker, target: str
) -> None:
    old = ask.basic("alice", "pa")
    assert ask.raw("GET", target, Authorization=old).status == 200
    ask.passwords["alice"] = "new"
    ask.moment += proven_visitors.PROOF_SECONDS
    assert ask.raw("GET", target, Authorization=old).status == 401


def test_while_the_namenode_does_not_answer_who_is_known_is_let_in(ask: ProvingAsker) -> None:
    ask.status("alice")
    ask.down = True
    ask.moment += proven_visitors.PROOF_SECONDS
    alice = ask.basic("alice", "pa")
    home = ask.raw("GET", "/webhdfs/v1/?op=GETHOMEDIRECTORY", Authorization=alice)
    assert home.status == 200, "what needs no namenode is told"
    assert ask.status("alice").error.startswith("RetriableException: ")
    assert ask.status("bob").error.startswith("RetriableException: "), "nobody can say who he is"
    ask.down = False
    for _ in range(2):
        assert ask.status("bob").status == 200, "which was no failure of his"


def test_who_is_new_while_nobody_leads_hears_so_and_waits_for_his_files(ask: ProvingAsker) -> None:
    ask.down = ask.recovers = True
    bob = ask.basic("bob", "pb")
    for target in ("/who", "/files/open"):
        reply = ask.raw("GET", target, Authorization=bob)
        assert reply.status == 503 and "no namenode that leads" in reply.error, target
    assert ask.down and ask.tried == []
    assert all(client.closed for client in ask.clients)
    assert ask.status("bob").status == 200, "who comes for his files waits"
    assert all(client.closed for client in ask.clients), "it has done its work"
    assert ask.status("bob").status == 200 and not ask.clients[-1].closed


def test_who_errs_often_is_refused_without_asking_and_others_are_not(ask: ProvingAsker) -> None:
    wrong = ask.basic("alice", "wrong")
    errors = [ask.raw("GET", "/who", Authorization=wrong).error for _ in range(20)]
    assert ask.tried == ["wrong"] * int(attempts.CLAIM.failures)
    assert "too many attempts" in errors[-1] and "too many" not in errors[0]
    assert ask.status("alice").status == 200, "her own password is another claim"
    for number in range(100):
        ask.raw("GET", "/who", Authorization=ask.basic("alice", f"guess{number}"))
    assert len(ask.tried) < 60
    assert ask.status("alice").status == 200, "who was good here is not met"
    assert "too many" in ask.status("bob").error, "but a newcomer is, for a while"
    ask.moment += 1.0
    assert ask.status("bob").status == 200


def test_no_password_and_no_token_is_logged_or_told(
    ask: ProvingAsker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One that has not said so much lately that it is silent now.
    monkeypatch.setattr(proven_visitors, "log", logs.get("gateway"))
    with Recorder() as log:
        replies = [
            ask.raw("GET", "/who", Authorization=ask.basic("al\x1b[31mice", "hidden-1")),
            ask.raw("GET", "/who", Authorization=ask.basic("alice", "hidden-2")),
            ask.raw("GET", "/who", Cookie="pyhdfs-session=hidden-3"),
            ask.raw("GET", "/who?delegation=hidden-4"),
            ask.raw("POST", "/login", b'{"user": "alice", "password": "hidden-5"}'),
        ]
    assert [reply.status for reply in replies] == [400, 401, 401, 403, 401]
    told = "\n".join(log.lines + [reply.error for reply in replies])
    assert log.lines and "hidden" not in told and "\x1b" not in told
