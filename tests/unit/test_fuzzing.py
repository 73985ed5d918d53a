"""The fuzzer's own parts: what it draws, and how it judges."""

import math
from collections import Counter
from random import Random
from typing import Any, Tuple

import pytest
from rpyc.core import brine, consts

from tests.fuzzing.attacker import CUT, DONE, SILENT, first_message, hello_of, judge
from tests.fuzzing.oddities import PATHS, SURROGATE, arguments, encoded, must_be_refused, shown
from tests.fuzzing.shots import LET_IN, MALLORY, NOBODY, TABLES, Range, Shot
from zookeeper.fabric.auth import SIMPLE, Introduction
from zookeeper.fabric.calls import Call, calls_of
from zookeeper.fabric.frames import request_in
from zookeeper.fabric.errors import ProtocolViolation

HELLOS = {"zookeeper": b"PyHDFS hello" * 5}
CALLS = {
    name: call for tables in TABLES.values() for table in tables
    for name, call in calls_of(table).items()
}  # fmt: skip


def drawn(seed: int = 1, secret: bool = True) -> Range:
    """What a campaign of this seed fires."""
    return Range(seed, "root", HELLOS, secret)


def test_a_shot_follows_from_its_seed_and_number() -> None:
    first = [drawn().shot(number) for number in range(300)]
    assert [drawn().shot(number) for number in reversed(range(300))] == first[::-1]
    assert [drawn(2).shot(number) for number in range(300)] != first


def test_every_call_of_every_table_is_made_in_a_few_thousand_shots() -> None:
    made = Counter(drawn().shot(number).what.partition("(")[0] for number in range(2500))
    assert not [name for name in CALLS if not made[name]]


def test_only_who_has_no_rights_makes_calls_that_are_right() -> None:
    shots = [drawn().shot(number) for number in range(1000)]
    calls = [shot for shot in shots if shot.what.partition("(")[0] in CALLS]
    right = {shot.principal for shot in calls if not shot.must_fail}
    assert right == {MALLORY}
    assert len({shot.principal for shot in calls if shot.must_fail}) == 6


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_arguments_are_right_or_wrong_and_can_be_sent(call: Call) -> None:
    refused = 0
    for seed in range(15):
        args = arguments(call, Random(seed))
        refused += must_be_refused(call, args)
        assert shown(args).isprintable() and len(shown(args)) < 10_000
        data = encoded(args)
        if len(data) < 1 << 16 and SURROGATE.encode("utf-8", "surrogatepass") not in data:
            assert repr(brine.load(data)) == repr(args)
    assert 0 < refused


NO_PATHS = (
    "", "//", "kept", "/kept/", "/..", "/.", "/kept\0/file", f"/{SURROGATE}", "/" + "x" * 256
)  # fmt: skip


@pytest.mark.parametrize("path", NO_PATHS)
def test_what_is_no_path_must_be_refused(path: str) -> None:
    assert path in PATHS and must_be_refused(CALLS["stat"], (path,))
    assert must_be_refused(CALLS["rename"], (("a", 1), "/kept/file", path))
    assert not must_be_refused(CALLS["stat"], ("/kept/file",))


def test_half_a_surrogate_pair_is_sent_as_it_is() -> None:
    data = encoded((SURROGATE,))
    assert SURROGATE.encode("utf-8", "surrogatepass") in data
    with pytest.raises(ProtocolViolation):
        request_in(b"\1" + data)
    assert math.isnan(brine.load(encoded(math.nan)))


def shot(must_fail: bool = False, waits: bool = False) -> Shot:
    """One that is to be judged."""
    return Shot("zookeeper", MALLORY, b"", "stat()", must_fail, waits)


def answer(kind: int, content: Any) -> bytes:
    """A server's message."""
    return bytes([kind]) + brine.dump((1, content))


def error(code: str, text: str) -> bytes:
    """A server's refusal."""
    return answer(consts.MSG_EXCEPTION, (("pyhdfs", "Error"), (code, text), (), ""))


REPLY = answer(consts.MSG_REPLY, (consts.LABEL_VALUE, 7))

JUDGED: Tuple[Tuple[Shot, Any, str, str], ...] = (
    (shot(), REPLY, DONE, ""),
    (shot(must_fail=True), REPLY, DONE, "it was not refused"),
    (shot(must_fail=True), b"", CUT, ""),
    (shot(must_fail=True), error("invalid_argument", "no"), "invalid_argument", ""),
    (shot(must_fail=True), error("internal", "oh"), "internal", "a defect: oh"),
    (shot(), error("not_found", 'File "/x/y.py", line 3'), DONE, 'the answer tells of the program'),
    (shot(), None, SILENT, "no answer"),
    (shot(waits=True), None, SILENT, ""),
    (shot(must_fail=True), LET_IN, "let in", "a stranger was served"),
)  # fmt: skip


@pytest.mark.parametrize("fired, message, what, complaint", JUDGED)
def test_answers_are_judged(fired: Shot, message: Any, what: str, complaint: str) -> None:
    outcome = judge(fired, message)
    assert outcome.what == what
    assert outcome.complaint.startswith(complaint) and bool(outcome.complaint) == bool(complaint)


def test_the_first_message_of_a_body_is_no_packet() -> None:
    assert first_message(b"\x80" + bytes(20)) == b"" == first_message(b"abc")
    assert first_message(b"\0\0\0\x02\0hi\n and more") == b"hi"


def test_a_hello_is_what_an_honest_client_says_first() -> None:
    hello = hello_of(Introduction(SIMPLE, MALLORY), "zookeeper@127.0.0.1:1")
    assert b"user:mallory" in hello
    assert {drawn().shot(n).must_fail for n in range(500) if drawn().shot(n).principal == NOBODY}
