"""The judge of histories: what can be explained is, and what breaks a promise never is."""

from random import Random
from typing import Any, List, Tuple

import pytest

from tests.chaos import explanation
from tests.chaos.explanation import MODELS, Unexplained, explain
from tests.chaos.history import FAILED, OK, REFUSED, UNKNOWN, Call
from tests.simulation.plain_tree import DIRECTORY, Tree
from zookeeper.fabric.errors import PathExists, PathNotFound

ROOM: Tree = {"/g": DIRECTORY}
OLD: Tree = {**ROOM, "/g/a": ("f", 1, 3)}
NEW: Tree = {**ROOM, "/g/a": ("f", 2, 3)}


def call(
    kind: str, *args: Any, at: Tuple[float, float], outcome: str = OK, result: Any = None
) -> Call:
    """One call; its client and number do not matter."""
    number = hash((kind, args, at)) % (1 << 30)
    return Call(number, "client", kind, args, *at, outcome, result)


def put(content: int, at: Tuple[float, float], outcome: str = OK, overwrite: bool = True) -> Call:
    """A put at /g/a."""
    return call("put", "/g/a", content, 3, overwrite, at=at, outcome=outcome)


def got(content: Any, at: Tuple[float, float], outcome: str = OK) -> Call:
    """A get of /g/a."""
    return call("get", "/g/a", at=at, result=content, outcome=outcome)


def test_what_came_one_after_another_is_explained() -> None:
    explain(ROOM, [put(1, (0, 1)), got(1, (2, 3)), put(2, (4, 5)), got(2, (6, 7))], NEW)


def test_of_two_calls_at_once_either_may_have_been_the_first() -> None:
    both = [put(1, (0, 5)), put(2, (1, 4))]
    explain(ROOM, both, OLD)
    explain(ROOM, both, NEW)


def test_a_put_of_unknown_fate_happened_or_not() -> None:
    lost = put(2, (1, 2), UNKNOWN)
    explain(OLD, [lost], OLD)
    explain(OLD, [lost], NEW)
    # Late, as long as all that follows agrees.
    explain(OLD, [lost, got(1, (3, 4)), got(2, (5, 6))], NEW)


LOST_OR_WRONG = {
    "I1: an acknowledged put is gone": ([put(1, (0, 1))], ROOM),
    "I1: an acknowledged overwrite has the old content": ([put(2, (0, 1))], OLD),
    "I2: a failed put is visible": ([put(2, (0, 1), FAILED)], NEW),
    "I2: a failed overwrite took the old content away": ([put(2, (0, 1), FAILED)], ROOM),
    "I3: what is indeterminate flickers":
        ([put(2, (0, 1), UNKNOWN), got(2, (2, 3)), got(1, (4, 5))], OLD),
    "I3: it comes back": ([put(2, (0, 1), UNKNOWN), got(2, (2, 3)), got(1, (4, 5))], NEW),
    "I4: a deleted file is back": ([call("delete", "/g/a", at=(0, 1), result=True)], OLD),
    "I4: rename shows both names":
        ([call("rename", "/g/a", "/g/b", at=(0, 1))], {**OLD, "/g/b": ("f", 1, 3)}),
    "I4: rename shows neither name": ([call("rename", "/g/a", "/g/b", at=(0, 1))], ROOM),
    "I4: an acknowledged mkdir is gone": ([call("mkdir", "/g/b", False, at=(0, 1))], OLD),
    "I4: an acknowledged setrep is gone": ([call("set_replication", "/g/a", 4, at=(0, 1))], OLD),
    "I5: bytes that nobody wrote": ([got(-1, (0, 1))], OLD),
    "I5: bytes of a file that never was there": ([got(2, (0, 1))], OLD),
    "I9: a retried rename has a second answer":
        ([call("rename", "/g/a", "/g/b", at=(0, 1), outcome=REFUSED, result=PathNotFound)],
         {**ROOM, "/g/b": ("f", 1, 3)}),
    "I10: a read after the put shows the old": ([put(2, (0, 1)), got(1, (2, 3))], NEW),
    "I10: a refusal that was never true":
        ([call("put", "/g/b", 5, 3, False, at=(0, 1), outcome=REFUSED, result=PathExists)], OLD),
    "I10: two exclusive puts succeed":
        ([call("delete", "/g/a", at=(0, 1), result=True), put(1, (2, 5), OK, False),
          put(2, (3, 4), OK, False)], NEW),
    "I10: a listing between two states":
        ([call("list", "/g", at=(0, 1), result=(("a", "f", 3), ("b", "f", 3)))], OLD),
}  # fmt: skip


@pytest.mark.parametrize("broken", LOST_OR_WRONG)
def test_a_broken_promise_is_never_explained(broken: str) -> None:
    calls, after = LOST_OR_WRONG[broken]
    with pytest.raises(Unexplained):
        explain(OLD, calls, after)


def test_reads_that_failed_say_nothing() -> None:
    explain(OLD, [got(None, (0, 1), FAILED), got(None, (0, 1), UNKNOWN)], OLD)


def test_the_first_call_that_fits_nowhere_is_named() -> None:
    with pytest.raises(Unexplained, match=r"4\.000.*get /g/a -> ok 1"):
        explain(OLD, [put(2, (0, 1)), got(2, (2, 3)), got(1, (4, 5)), got(2, (6, 7))], NEW)


def test_a_history_that_takes_too_long_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanation, "STEPS_MAX", 20)
    doubts = [put(number, (0, 1), UNKNOWN) for number in range(10, 20)]
    with pytest.raises(Unexplained, match="not judged"):
        explain(ROOM, doubts, {**ROOM, "/g/a": ("f", 7, 5)})


def random_calls(random: Random, tree: Tree) -> Tuple[List[Call], Tree]:
    """Calls that overlap, each with the answer of one moment of its own; and the tree they make."""
    calls, moment = [], 0.0
    for number in range(60):
        moment += 1
        path = random.choice(("/g/a", "/g/b", "/g/c"))
        kind, args = random.choice((
            ("put", (path, number, 3, random.random() < 0.5)), ("get", (path,)), ("list", ("/g",)),
            ("delete", (path,)), ("rename", (path, "/g/b")), ("set_replication", (path, number)),
        ))  # fmt: skip
        result, after = MODELS[kind](tree, *args)
        refused = isinstance(result, type)
        at = (moment - random.random() * 4, moment + random.random() * 4)
        doubtful = kind not in ("get", "list") and random.random() < 0.1
        if doubtful and random.random() < 0.5:
            after = tree
        outcome = UNKNOWN if doubtful else REFUSED if refused else OK
        calls.append(Call(number, "client", kind, args, *at, outcome, result))
        tree = after
    return calls, tree


@pytest.mark.parametrize("seed", range(40))
def test_what_has_an_order_is_explained_and_one_wrong_read_is_not(seed: int) -> None:
    random = Random(seed)
    calls, after = random_calls(random, ROOM)
    random.shuffle(calls)
    explain(ROOM, calls, after)
    alone = Call(1000, "client", "get", ("/g/a",), 200.0, 201.0, OK, 999)
    with pytest.raises(Unexplained):
        explain(ROOM, calls + [alone], after)
