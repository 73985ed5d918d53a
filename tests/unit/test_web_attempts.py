"""How often one may try to prove who he is."""

import random
from typing import List, Tuple

import pytest

from data_service.web import attempts
from data_service.web.attempts import CLAIM, HOST, Attempts


def tried(found: Attempts, host: str, claim: bytes, now: float) -> bool:
    """Whether an attempt was let through; it is in vain."""
    begun = found.begin(host, claim, now)
    if begun:
        found.end(host, claim, False, now)
    return begun


def could_try(found: Attempts, host: str, claim: bytes, now: float) -> bool:
    """Whether one would be let through, of which nobody can tell whether it is good."""
    begun = found.begin(host, claim, now)
    if begun:
        found.end(host, claim, None, now)
    return begun


def test_one_claim_that_is_wrong_is_tried_some_times_and_then_now_and_then() -> None:
    found = Attempts()
    assert sum(tried(found, "h", b"a", 0.0) for _ in range(100)) == CLAIM.failures
    passed = sum(tried(found, "h", b"a", second / 10) for second in range(1, 1001))
    assert passed == pytest.approx(100 * CLAIM.per_second, abs=2)
    assert could_try(found, "other", b"a", 0.0), "another host is another matter"


def test_a_host_that_tries_many_is_held_back_and_who_was_good_there_is_not() -> None:
    found = Attempts()
    assert found.begin("h", b"good", 0.0)
    found.end("h", b"good", True, 0.0)
    passed = sum(tried(found, "h", b"%d" % number, number / 1000) for number in range(59_900))
    assert passed == pytest.approx(HOST.failures + 60 * HOST.per_second, abs=2)
    assert could_try(found, "h", b"good", 59.9)
    assert not could_try(found, "h", b"new", 59.9)
    assert could_try(found, "h", b"new", 59.9 + 1 / HOST.per_second)
    assert tried(found, "h", b"good", 59.9)
    assert not could_try(found, "h", b"good", 59.9), "it is good no more"


def test_those_that_are_being_tried_count() -> None:
    found = Attempts()
    begun = sum(found.begin("h", b"%d" % number, 0.0) for number in range(100))
    assert begun == HOST.failures
    for number in range(begun):
        found.end("h", b"%d" % number, None if number % 2 else True, 0.0)
    assert sum(found.begin("h", b"new%d" % number, 0.0) for number in range(100)) == begun


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "VESSELS_MAX", 50)
    found, chance = Attempts(), random.Random(1)
    asked: List[Tuple[str, bytes]] = []
    for number in range(1000):
        asked.append((f"h{chance.randrange(9)}", b"%d" % chance.randrange(99)))
        tried(found, *asked[-1], float(number))
    assert len(found._vessels) == 50
