"""The life of delegation tokens in the namenode's core: given out, prolonged, cancelled, over."""

from typing import Any

import pytest

from data_service.namenode import delegating
from data_service.protocol.delegation_tokens import Delegation
from tests.support.models.namenode_core import Core, refusal
from zookeeper.fabric.errors import (
    AuthenticationFailed,
    PermissionDenied,
    ProtocolViolation,
    QuotaExceeded,
)

ASKED = Delegation(0, "alice", "etl", "", 1000, 9000, 1, "00" * 8)


def issued(core: Core, asked: Delegation = ASKED, expires_ms: int = 3000, op: Any = None) -> Any:
    """A token that was given out."""
    return core.do(core.state.delegating.issue(op or core.op(), asked, expires_ms))


def renewed(
    core: Core, token: Delegation, user: str = "etl", at: int = 2000, to: int = 5000
) -> int:
    """Until when it is good when its renewer has it prolonged."""
    expires_ms: int = core.do(core.state.delegating.renew(core.op(), user, token, to, at))
    return expires_ms


def cancelled(core: Core, token: Delegation, user: str = "alice") -> None:
    """It is void from now on."""
    core.do(core.state.delegating.cancel(core.op(), user, token))


def is_good(core: Core, token: Delegation, wall_ms: int) -> bool:
    """Whether it opens anything at that moment."""
    try:
        core.state.delegating.require_good(token, wall_ms)
    except AuthenticationFailed:
        return False
    return True


@pytest.fixture(name="core")
def _core() -> Core:
    return Core()


def test_one_is_good_until_it_is_over(core: Core) -> None:
    token = issued(core)
    assert token == ASKED._replace(number=core.metadata.last_txid)
    assert is_good(core, token, 2999) and not is_good(core, token, 3000)
    assert renewed(core, token) == 5000
    assert is_good(core, token, 4999) and not is_good(core, token, 5000)


def test_it_cannot_be_prolonged_beyond_its_life_or_after_it(core: Core) -> None:
    token = issued(core)
    assert renewed(core, token, to=99_999) == token.max_ms
    other = issued(core)
    with pytest.raises(AuthenticationFailed, match="is over since 1 seconds"):
        renewed(core, other, at=4000)


@pytest.mark.parametrize("user", ["alice", "mallory", "", "etl2"])
def test_only_its_renewer_prolongs_it(core: Core, user: str) -> None:
    token = issued(core)
    assert "its renewer is etl" in refusal(PermissionDenied, lambda: renewed(core, token, user))
    nobodys = issued(core, ASKED._replace(renewer=""))
    assert "is nobody" in refusal(PermissionDenied, lambda: renewed(core, nobodys, user or "x"))


@pytest.mark.parametrize("user", ["alice", "etl"])
def test_owner_and_renewer_cancel_it(core: Core, user: str) -> None:
    token, other = issued(core), issued(core)
    with pytest.raises(PermissionDenied, match="mallory may not cancel"):
        cancelled(core, token, "mallory")
    cancelled(core, token, user)
    assert not is_good(core, token, 1) and is_good(core, other, 1)
    for deed in (lambda: renewed(core, token), lambda: cancelled(core, token)):
        assert "was cancelled" in refusal(AuthenticationFailed, deed)


@pytest.mark.parametrize(
    "change",
    [{"owner": "root"}, {"renewer": "mallory"}, {"proxy": "user:x"}, {"issued_ms": 999},
     {"max_ms": 9001}, {"proved_at": 2}, {"key_id": "11" * 8}, {"number": 99}],
)  # fmt: skip
def test_one_that_says_anything_else_is_another(core: Core, change: Any) -> None:
    # A record that was restored has a number again that was given out for another one.
    token = issued(core)
    assert not is_good(core, token._replace(**change), 1)


def test_a_call_that_is_repeated_has_one_effect(core: Core) -> None:
    op = core.op()
    token = issued(core, op=op)
    assert issued(core, op=op) == token and len(core.state.image.given_tokens) == 1
    op = core.op()
    for _ in range(2):
        core.do(core.state.delegating.cancel(op, "alice", token))
    with pytest.raises(ProtocolViolation):
        core.state.delegating.renew(op, "etl", token, 5000, 1)


def test_a_repeated_call_for_one_that_was_cancelled_brings_nothing_back(core: Core) -> None:
    op = core.op()
    cancelled(core, issued(core, op=op))
    with pytest.raises(AuthenticationFailed, match="was cancelled"):
        issued(core, op=op)


def test_after_a_restart_all_is_as_it_was(core: Core) -> None:
    first, gone, renewed_one = issued(core), issued(core), issued(core)
    cancelled(core, gone)
    renewed(core, renewed_one)
    op = core.op()
    last = issued(core, op=op)
    core.restart()
    assert [is_good(core, one, 2000) for one in (first, gone, renewed_one)] == [True, False, True]
    assert not is_good(core, first, 4000) and is_good(core, renewed_one, 4000)
    assert issued(core, op=op) == last
    assert issued(core).number > last.number


def test_nobody_has_too_many(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegating, "USERS_TOKENS_MAX", 2)
    first, _ = issued(core), issued(core)
    with pytest.raises(QuotaExceeded, match="alice has 2 delegation tokens"):
        issued(core)
    assert issued(core, ASKED._replace(owner="bob"))
    cancelled(core, first)
    assert issued(core)
    monkeypatch.setattr(delegating, "TOKENS_MAX", 3)
    with pytest.raises(QuotaExceeded, match="there are 3 delegation tokens"):
        issued(core, ASKED._replace(owner="carol"))


def test_those_that_are_over_are_forgotten_a_few_at_a_time(core: Core) -> None:
    tokens = [issued(core, expires_ms=3000 + number % 2 * 1000) for number in range(25)]
    rounds = 0
    while len(core.state.image.given_tokens) > 12:
        core.do(core.state.delegating.forget_expired(3500, 10))
        rounds += 1
        assert rounds <= 5, "each is looked at once in three rounds"
    assert rounds >= 2, "not all of them at once"
    assert [is_good(core, token, 1) for token in tokens] == [bool(n % 2) for n in range(25)]
    assert core.state.delegating.forget_expired(3500, 100) is None
    core.do(core.state.delegating.forget_expired(4000, 100))
    core.do(core.state.delegating.forget_expired(4000, 100))
    assert len(core.state.image.given_tokens) == 0
    assert core.state.delegating.forget_expired(4000, 100) is None


def test_safe_mode_does_not_keep_people_from_logging_in(core: Core) -> None:
    core.state.blocks.enter_safe_mode()
    token = issued(core)
    cancelled(core, token)
