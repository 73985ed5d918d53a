"""The judge of histories: what can be explained is, and what breaks a promise never is."""

import itertools
from random import Random
from typing import Any, List, Tuple

import pytest

from tests.chaos import explanation
from tests.chaos.contents import Contents
from tests.chaos.explanation import NotJudged, Unexplained
from tests.chaos.history import FAILED, OK, READS, REFUSED, UNKNOWN, Call
from tests.chaos.model import Model, State, steps_of, visible
from tests.simulation.plain_tree import DIRECTORY
from zookeeper.fabric.errors import (
    InvalidArgument,
    PathExists,
    PathNotFound,
    PermissionDenied,
    QuotaExceeded,
)

SIZES = [100, 64, 1, 0]
CONTENTS = Contents(SIZES)
MODEL = Model(CONTENTS)
NUMBERS = itertools.count(1)

FIRST, SECOND = 1, 4
"""Two pieces that are neither empty nor short."""

Interval = Tuple[float, float]


def file(piece: int, replication: int = 3, mode: int = 0o644) -> tuple:
    """A file of one piece, as everybody sees it."""
    return ("f", CONTENTS.piece(piece), replication, mode)


ROOM: State = {"/g": DIRECTORY}
OLD: State = {**ROOM, "/g/a": file(FIRST)}
NEW: State = {**ROOM, "/g/a": file(SECOND)}
BOTH: State = {**OLD, "/g/b": file(SECOND)}


def explain(before: State, calls: List[Call], after: State) -> None:
    """As the function of this name."""
    explanation.explain(MODEL, before, calls, after)


def call(
    kind: str, *args: Any, at: Interval, outcome: str = OK, result: Any = None, user: str = ""
) -> Call:
    """One call; its client does not matter."""
    return Call(next(NUMBERS), "client", kind, args, *at, outcome, result, user)


def put(piece: int, at: Interval, outcome: str = OK, overwrite: bool = True) -> Call:
    """A put at /g/a."""
    return call("put", "/g/a", piece, 3, overwrite, at=at, outcome=outcome)


def got(piece: int, at: Interval, outcome: str = OK, path: str = "/g/a") -> Call:
    """A get of one piece."""
    return call("get", path, at=at, result=CONTENTS.piece(piece), outcome=outcome)


def refused(kind: str, *args: Any, why: type, at: Interval = (0, 1), user: str = "") -> Call:
    """A call that was told that it cannot be."""
    return call(kind, *args, at=at, outcome=REFUSED, result=why, user=user)


def joined(*pieces: int) -> tuple:
    """A file of several pieces."""
    return ("f", CONTENTS.joined(*map(CONTENTS.piece, pieces)), 3, 0o644)


def test_what_came_one_after_another_is_explained() -> None:
    calls = [put(FIRST, (0, 1)), got(FIRST, (2, 3)), put(SECOND, (4, 5)), got(SECOND, (6, 7))]
    explain(ROOM, calls, NEW)


def test_of_two_calls_at_once_either_may_have_been_the_first() -> None:
    both = [put(FIRST, (0, 5)), put(SECOND, (1, 4))]
    explain(ROOM, both, OLD)
    explain(ROOM, both, NEW)


def test_a_put_of_unknown_fate_happened_or_not() -> None:
    lost = put(SECOND, (1, 2), UNKNOWN)
    explain(OLD, [lost], OLD)
    explain(OLD, [lost], NEW)
    # Late, as long as all that follows agrees.
    explain(OLD, [lost, got(FIRST, (3, 4)), got(SECOND, (5, 6))], NEW)


def test_a_change_that_would_change_nothing_now_may_have_come_later() -> None:
    # The put makes the file again what it is already, so it looks as if it could come first. But
    # what overlaps it must come in between, or the file could not be as it is in the end.
    empty = {**ROOM, "/g/a": file(3)}
    raised = call("set_replication", "/g/a", 4, at=(1, 2))
    explain(empty, [put(3, (0, 3)), raised], empty)
    explain(empty, [put(3, (0, 3)), raised], {**ROOM, "/g/a": file(3, 4)})
    again = [call("mkdir", "/g", True, at=(0, 3)), call("delete", "/g", at=(1, 2), result=True)]
    explain(ROOM, again, ROOM)
    lowered = [call("set_replication", "/g/a", 3, at=(0, 3)), raised]
    explain(OLD, lowered, OLD)


def test_contents_of_one_byte_are_not_mistaken_for_each_other() -> None:
    many = [2 + 4 * number for number in range(600)]
    keys = {CONTENTS.piece(piece) for piece in many}
    assert len(keys) <= 256
    explain(ROOM, [put(many[0], (0, 1)), put(many[599], (2, 3)), got(many[599], (4, 5))],
            {**ROOM, "/g/a": file(many[599])})  # fmt: skip
    other = next(p for p in many if CONTENTS.piece(p) != CONTENTS.piece(many[599]))
    with pytest.raises(Unexplained):
        explain(ROOM, [put(many[599], (0, 1)), got(other, (2, 3))], {**ROOM, "/g/a": file(other)})


APPEND = call("append", "/g/a", SECOND, at=(0, 9))
EXPLAINED = {
    "an append": (OLD, [APPEND], {**ROOM, "/g/a": joined(FIRST, SECOND)}),
    "an append to a file that is renamed meanwhile":
        (OLD, [APPEND, call("rename", "/g/a", "/g/b", at=(1, 2)), got(FIRST, (3, 4), path="/g/b")],
         {**ROOM, "/g/b": joined(FIRST, SECOND)}),
    "an append of unknown fate, opened but not done":
        (OLD, [call("append", "/g/a", SECOND, at=(0, 1), outcome=UNKNOWN)], OLD),
    "a truncation":
        (OLD, [call("truncate", "/g/a", 7, at=(0, 1))],
         {**ROOM, "/g/a": ("f", CONTENTS.cut(CONTENTS.piece(FIRST), 7), 3, 0o644)}),
    "a truncation that is refused":
        (OLD, [refused("truncate", "/g/a", 65, why=InvalidArgument)], OLD),
    "a concatenation": (BOTH, [call("concat", "/g/a", "/g/b", at=(0, 1))],
                        {**ROOM, "/g/a": joined(FIRST, SECOND)}),
    "a concatenation of an empty file":
        ({**OLD, "/g/b": file(3)}, [refused("concat", "/g/a", "/g/b", why=InvalidArgument)],
         {**OLD, "/g/b": file(3)}),
    "a file that is flushed, renamed, and flushed again":
        (ROOM, [call("start", "/g/a", FIRST, 3, True, at=(0, 1)), got(FIRST, (2, 3)),
                call("rename", "/g/a", "/g/b", at=(4, 5)),
                call("flush", "/g/a", FIRST, SECOND, at=(6, 7)),
                call("close", "/g/a", FIRST, at=(8, 9))],
         {**ROOM, "/g/b": joined(FIRST, SECOND)}),
    "a deletion below a file":
        (OLD, [call("delete", "/g/a/x", at=(0, 1), result=False)], OLD),
    "a page":
        (BOTH, [call("page", "/g", "", 1, at=(0, 1), result=((("a", "f", 3),), True)),
                call("page", "/g", "a", 1, at=(2, 3), result=((("b", "f", 3),), False))], BOTH),
}  # fmt: skip


@pytest.mark.parametrize("what", EXPLAINED)
def test_what_may_be_is_explained(what: str) -> None:
    explain(*EXPLAINED[what])


LOST_OR_WRONG = {
    "I1: an acknowledged put is gone": ([put(FIRST, (0, 1))], ROOM),
    "I1: an acknowledged overwrite has the old content": ([put(SECOND, (0, 1))], OLD),
    "I1: an acknowledged append is lost": ([call("append", "/g/a", SECOND, at=(0, 1))], OLD),
    "I1: of two appends one is lost":
        ([call("append", "/g/a", SECOND, at=(0, 5)), call("append", "/g/a", 5, at=(1, 4))],
         {**ROOM, "/g/a": joined(FIRST, SECOND)}),
    "I1: what was flushed is lost":
        ([call("open", "/g/a", 99, at=(0, 1)), call("flush", "/g/a", 99, SECOND, at=(2, 3))], OLD),
    "I1: an append is there twice":
        ([call("append", "/g/a", SECOND, at=(0, 1))],
         {**ROOM, "/g/a": joined(FIRST, SECOND, SECOND)}),
    "I1: an append follows the path instead of the file":
        ([call("open", "/g/a", 99, at=(0, 1)), call("rename", "/g/a", "/g/b", at=(2, 3)),
          call("put", "/g/a", 5, 3, True, at=(4, 5)), call("flush", "/g/a", 99, 8, at=(6, 7))],
         {**ROOM, "/g/b": file(FIRST), "/g/a": joined(5, 8)}),
    "I1: a truncated file is whole": ([call("truncate", "/g/a", 7, at=(0, 1))], OLD),
    "I1: a flush of a file that was deleted":
        ([call("open", "/g/a", 99, at=(0, 1)), call("delete", "/g/a", at=(2, 3), result=True),
          call("flush", "/g/a", 99, SECOND, at=(4, 5))], ROOM),
    "I2: a failed put is visible": ([put(SECOND, (0, 1), FAILED)], NEW),
    "I2: a failed overwrite took the old content away": ([put(SECOND, (0, 1), FAILED)], ROOM),
    "I2: half of an append is visible":
        ([call("append", "/g/a", SECOND, at=(0, 1))],
         {**ROOM, "/g/a": ("f", CONTENTS.cut(joined(FIRST, SECOND)[1], 70), 3, 0o644)}),
    "I3: what is indeterminate flickers":
        ([put(SECOND, (0, 1), UNKNOWN), got(SECOND, (2, 3)), got(FIRST, (4, 5))], OLD),
    "I3: it comes back":
        ([put(SECOND, (0, 1), UNKNOWN), got(SECOND, (2, 3)), got(FIRST, (4, 5))], NEW),
    "I4: a deleted file is back": ([call("delete", "/g/a", at=(0, 1), result=True)], OLD),
    "I4: rename shows both names":
        ([call("rename", "/g/a", "/g/b", at=(0, 1))], {**OLD, "/g/b": file(FIRST)}),
    "I4: rename shows neither name": ([call("rename", "/g/a", "/g/b", at=(0, 1))], ROOM),
    "I4: an acknowledged mkdir is gone": ([call("mkdir", "/g/b", False, at=(0, 1))], OLD),
    "I4: an acknowledged setrep is gone": ([call("set_replication", "/g/a", 4, at=(0, 1))], OLD),
    "I5: bytes that nobody wrote":
        ([call("get", "/g/a", at=(0, 1), result=CONTENTS.key_of(b"not written"))], OLD),
    "I5: bytes of a file that never was there": ([got(SECOND, (0, 1))], OLD),
    "I9: a retried rename has a second answer":
        ([refused("rename", "/g/a", "/g/b", why=PathNotFound)], {**ROOM, "/g/b": file(FIRST)}),
    "I10: a read after the put shows the old": ([put(SECOND, (0, 1)), got(FIRST, (2, 3))], NEW),
    "I10: a refusal that was never true":
        ([refused("put", "/g/b", 5, 3, False, why=PathExists)], OLD),
    "I10: two exclusive puts succeed":
        ([call("delete", "/g/a", at=(0, 1), result=True), put(FIRST, (2, 5), OK, False),
          put(SECOND, (3, 4), OK, False)], NEW),
    "I10: a listing between two states":
        ([call("list", "/g", at=(0, 1), result=(("a", "f", 3), ("b", "f", 3)))], OLD),
    "I10: a page that is stale":
        ([call("delete", "/g/a", at=(0, 1), result=True),
          call("page", "/g", "", 2, at=(2, 3), result=((("a", "f", 3),), False))], ROOM),
    "I10: a page without its last row":
        ([call("page", "/g", "", 2, at=(2, 3), result=((), False))], OLD),
}  # fmt: skip


@pytest.mark.parametrize("broken", LOST_OR_WRONG)
def test_a_broken_promise_is_never_explained(broken: str) -> None:
    calls, after = LOST_OR_WRONG[broken]
    with pytest.raises(Unexplained):
        explain(OLD, calls, after)


CLOSED: State = {"/p": DIRECTORY, "mode /p": ("alice", 0o700), "/p/a": file(FIRST)}
OPEN: State = {**CLOSED, "mode /p": ("alice", 0o755)}


def opens(at: Interval) -> Call:
    """The owner lets others in."""
    return call("set_mode", "/p", 0o755, at=at, user="alice")


def seen(by: str, at: Interval) -> Call:
    """A get by this user."""
    return got(FIRST, at, path="/p/a")._replace(user=by)


def test_users_are_denied_what_they_may_not() -> None:
    explain(CLOSED, [seen("alice", (0, 1))], CLOSED)
    explain(CLOSED, [refused("get", "/p/a", why=PermissionDenied, user="bob")], CLOSED)
    explain(CLOSED, [opens((0, 1)), seen("bob", (2, 3))], OPEN)
    explain(CLOSED, [opens((0, 3)), seen("bob", (1, 2))], OPEN)
    for kind in ("delete", "mkdir", "put", "set_mode", "rename"):
        args = {"mkdir": ("/p/b", False), "put": ("/p/a", SECOND, 3, True),
                "set_mode": ("/p/a", 0o600), "rename": ("/p/a", "/p/b")}  # fmt: skip
        one = refused(kind, *args.get(kind, ("/p/a",)), why=PermissionDenied, user="bob")
        explain(OPEN, [one], OPEN)
    hidden = [call("set_mode", "/p/a", 0o600, at=(0, 1), user="alice"),
              refused("get", "/p/a", why=PermissionDenied, user="bob", at=(2, 3))]  # fmt: skip
    explain(OPEN, hidden, {**OPEN, "/p/a": file(FIRST, mode=0o600)})


@pytest.mark.parametrize(
    "calls",
    [
        [seen("bob", (0, 1))],
        [call("delete", "/p/a", at=(0, 1), result=True, user="bob")],
        [refused("get", "/p/a", why=PermissionDenied, user="alice")],
        [seen("bob", (0, 1)), opens((2, 3))],
        [opens((0, 1)), refused("list", "/p", why=PermissionDenied, at=(2, 3), user="bob")],
    ],
)
def test_who_was_let_in_or_kept_out_wrongly_is_noticed(calls: List[Call]) -> None:
    with pytest.raises(Unexplained):
        explain(CLOSED, calls, OPEN if calls[-1].user != "bob" or len(calls) > 1 else CLOSED)


def test_a_quota_holds() -> None:
    full: State = {"/q": DIRECTORY, "quota /q": (2, 1 << 30), "/q/a": DIRECTORY}
    more = {**full, "/q/b": DIRECTORY}
    with pytest.raises(Unexplained):
        explain(full, [call("mkdir", "/q/b", False, at=(0, 1))], more)
    wide = [call("set_quota", "/q", 3, 1 << 30, at=(0, 1)), call("mkdir", "/q/b", False, at=(2, 3))]
    explain(full, wide, {**more, "quota /q": (3, 1 << 30)})
    told = call("quota", "/q", at=(0, 1), result=(2, 1 << 30))
    explain(full, [told, call("mkdir", "/q/b", False, at=(2, 3), outcome=FAILED,
                              result=QuotaExceeded)], full)  # fmt: skip
    with pytest.raises(Unexplained):
        explain(full, [told._replace(result=(3, 1 << 30))], full)


def test_a_file_beyond_every_quota_is_noticed() -> None:
    big = Contents([30 << 20])
    room: State = {"/q": DIRECTORY, "quota /q": (8, 1 << 20)}
    whole = ("f", big.piece(1), 3, 0o644)
    with pytest.raises(Unexplained):
        explanation.explain(
            Model(big), room, [call("put", "/q/a", 1, 3, True, at=(0, 1))], {**room, "/q/a": whole}
        )


def test_reads_that_failed_say_nothing() -> None:
    explain(OLD, [got(SECOND, (0, 1), FAILED), got(SECOND, (0, 1), UNKNOWN)], OLD)


def test_a_state_that_nobody_saw_may_be_any() -> None:
    explanation.explain(MODEL, OLD, [put(SECOND, (0, 1), UNKNOWN)], None)
    with pytest.raises(Unexplained):
        explanation.explain(MODEL, OLD, [got(SECOND, (0, 1))], None)


def test_the_first_call_that_fits_nowhere_is_named() -> None:
    calls = [put(SECOND, (0, 1)), got(SECOND, (2, 3)), got(FIRST, (4, 5)), got(SECOND, (6, 7))]
    with pytest.raises(Unexplained, match=r"4\.000.*get /g/a -> ok 64:"):
        explain(OLD, calls, NEW)


def test_a_history_that_takes_too_long_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanation, "STEPS_MAX", 20)
    doubts = [put(piece, (0, 1), UNKNOWN) for piece in range(10, 40)]
    with pytest.raises(NotJudged):
        explain(ROOM, doubts, {**ROOM, "/g/a": file(9, 5)})


def random_call(random: Random) -> Tuple[str, tuple]:
    """A call of any kind on the same few paths."""
    path, other = random.sample(("/g/a", "/g/b", "/g/c"), 2)
    piece = random.randrange(1, 1 << 20)
    some = 4 * piece + random.randrange(2)
    return random.choice((
        ("put", (path, piece, 3, random.random() < 0.5)), ("get", (path,)), ("list", ("/g",)),
        ("delete", (path,)), ("rename", (path, other)), ("append", (path, some)),
        ("set_replication", (path, random.choice((3, 4)))), ("page", ("/g", "a", 1)),
        ("truncate", (path, random.choice((0, 1, 50)))), ("concat", (path, other)),
        ("mkdir", (path, False)), ("get", (path,)),
    ))  # fmt: skip


def random_calls(random: Random, state: State, count: int) -> Tuple[List[Call], State]:
    """Calls that overlap, each with the answer of a moment of its own; and the state they make."""
    calls, moment = [], 0.0
    for _ in range(count):
        moment += 1
        kind, args = random_call(random)
        at = (moment - random.random() * 4, moment + random.random() * 4)
        one = call(kind, *args, at=at)
        result, after = MODEL.apply(one, state)
        if isinstance(result, type):
            one = one._replace(outcome=REFUSED, result=result)
        else:
            one = one._replace(result=result)
            for event in steps_of(one):
                _, after = MODEL.apply(event, state if event.kind == "open" else after)
        if kind not in READS and random.random() < 0.15:
            one = one._replace(outcome=UNKNOWN)
            after = random.choice((after, state))
        calls.append(one)
        state = after
    return calls, state


@pytest.mark.parametrize("seed", range(40))
def test_what_has_an_order_is_explained_and_one_wrong_read_is_not(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Far fewer steps than in earnest: a search that is no longer quick must not pass unnoticed.
    monkeypatch.setattr(explanation, "STEPS_MAX", 2_000)
    random = Random(seed)
    calls, after = random_calls(random, dict(ROOM), 120)
    random.shuffle(calls)
    explain(ROOM, calls, visible(after))
    never = call("get", "/g/a", at=(100, 101), result="7:never")
    with pytest.raises((Unexplained, NotJudged)):
        explain(ROOM, [*calls, never], visible(after))
