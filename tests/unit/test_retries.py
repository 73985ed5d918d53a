"""The retry cache: answers are kept by time, within a bound that no user uses up for others."""

from random import Random
from typing import Any, Dict, Optional, Set, Tuple

import pytest

from data_service.namenode.namespace.image import Image
from data_service.namenode.namespace.retries import (
    FORGOTTEN_MAX,
    KEEP_SECONDS,
    SETTLED_MAX,
    Answer,
    Op,
    RetryCache,
    user_of,
)
from metadata_service.edits import Edit
from tests.support.models.namespace_tree import commits_of
from zookeeper.fabric.errors import ProtocolViolation

ANSWER = Answer("mkdir", "null", 1)


def found(cache: RetryCache, client_id: str, number: int) -> bool:
    """Whether a call is remembered."""
    return cache.get(Op(client_id, number)) is not None


def test_answers_are_kept_for_ten_minutes_however_many_follow() -> None:
    cache = RetryCache()
    cache.tick(1000.0)
    cache.put(Op("c@alice", 1), ANSWER)
    for second in range(int(KEEP_SECONDS)):
        cache.tick(1000.5 + second)
        for number in range(10):
            cache.put(Op("c@alice", 2 + 10 * second + number), ANSWER)
    assert found(cache, "c@alice", 1) and len(cache) == 6001
    cache.tick(1000.5 + KEEP_SECONDS)
    assert not found(cache, "c@alice", 1) and len(cache) == 6000
    cache.check()
    for left in range(5000, -1, -FORGOTTEN_MAX):
        cache.tick(1000.5 + 2 * KEEP_SECONDS)
        assert len(cache) == left, "some with each tick: others wait for the lock"
        cache.check()


def test_nobody_pushes_out_the_answers_of_another_user() -> None:
    cache = RetryCache(entries_max=200)
    for user in ("alice", "bob"):
        cache.put(Op(f"c@{user}", 1), ANSWER)
    for number in range(1000):
        cache.put(Op(f"client{number}@mallory", 1), ANSWER)
        cache.put(Op("busy@mallory", number), ANSWER)
        cache.check()
    assert found(cache, "c@alice", 1) and found(cache, "c@bob", 1)
    assert found(cache, "busy@mallory", 999) and not found(cache, "busy@mallory", 800)
    assert len(cache) == 200


def test_a_user_of_a_realm_is_one_of_his_own() -> None:
    """Else who is called `mallory@alice` could use up what is hers."""
    users = [user_of(f"c@{user}") for user in ("alice", "mallory@alice", "alice@EXAMPLE.COM")]
    assert users == ["alice", "mallory@alice", "alice@EXAMPLE.COM"]


def test_what_a_client_waits_for_no_more_is_forgotten_and_never_runs_again() -> None:
    cache = RetryCache()
    for number in (3, 4, 7):
        cache.put(Op("c@alice", number), ANSWER)
    cache.settle("c@alice", 5)
    cache.check()
    assert found(cache, "c@alice", 7) and len(cache) == 1
    for number in (3, 4):
        with pytest.raises(ProtocolViolation, match="too late"):
            cache.get(Op("c@alice", number))
    # Floors only rise, and are of one client.
    cache.settle("c@alice", 1)
    with pytest.raises(ProtocolViolation):
        cache.get(Op("c@alice", 4))
    assert not found(cache, "c@bob", 4)


def test_a_client_with_one_call_at_a_time_never_has_an_earlier_one_run_again() -> None:
    commits = commits_of(Image("root", "supergroup"))
    for number in range(1, 5):
        op = Op("c@alice", number, floor=number)
        assert commits.repeated("mkdir", op, Optional[bool]) is None
        commits.commit("mkdir", op, [])
        assert commits.repeated("mkdir", op, Optional[bool]) is not None
        for late in range(1, number):
            with pytest.raises(ProtocolViolation, match="too late"):
                commits.repeated("mkdir", Op("c@alice", late, floor=late), Optional[bool])
        commits.check()
    assert len(commits.retries) == 1


def test_one_call_settles_a_bounded_number_of_others_and_refuses_all() -> None:
    cache = RetryCache()
    for number in range(3 * SETTLED_MAX):
        cache.put(Op("c@alice", number), ANSWER)
    cache.settle("c@alice", 3 * SETTLED_MAX - 1)
    assert len(cache) == 2 * SETTLED_MAX
    with pytest.raises(ProtocolViolation, match="too late"):
        cache.get(Op("c@alice", 2 * SETTLED_MAX))
    cache.settle("c@alice", 3 * SETTLED_MAX - 1)
    assert len(cache) == SETTLED_MAX
    cache.check()


def test_a_call_with_other_arguments_is_no_repetition_also_after_a_restart() -> None:
    image = Image("root", "supergroup")
    commits = commits_of(image)
    mine, other = Op("c@alice", 1, "d1"), Op("c@alice", 1, "d2")
    edit: Any = commits.commit("mkdir", mine, [], None).edit
    assert edit == Edit(1, "mkdir", "c@alice", 1, "null", (), 0, "d1")
    restarted = commits_of(image)
    restarted.start(1, [edit])
    for known in (commits, restarted):
        assert known.repeated("mkdir", mine, Optional[bool]) is not None
        with pytest.raises(ProtocolViolation, match="other arguments"):
            known.repeated("mkdir", other, Optional[bool])


@pytest.mark.parametrize("seed", range(20))
def test_the_cache_does_what_a_plain_list_does(seed: int) -> None:
    random = Random(seed)
    cache, now = RetryCache(entries_max=40), 0.0
    kept: Dict[Tuple[str, int], float] = {}
    floors: Dict[str, int] = {}
    numbers: Set[int] = set()
    for number in range(1, 400):
        client = f"{random.choice('xy')}@{random.choice(('a', 'b', 'c'))}"
        numbers.add(number)
        cache.put(Op(client, number), ANSWER)
        kept[client, number] = now
        if len(kept) > 40:
            sizes = {user: sum(key[0][2:] == user for key in kept) for user in "abc"}
            lost = [key for key in kept if cache.get(Op(*key)) is None]
            assert len(lost) == 1 and sizes[lost[0][0][2:]] == max(sizes.values())
            same = [key for key in kept if key[0][2:] == lost[0][0][2:]]
            assert lost[0] == same[0], "the oldest of the one who has the most"
            del kept[lost[0]]
        if random.random() < 0.1:
            floor = random.randint(1, number)
            if any(key[0] == client for key in kept):
                floors[client] = max(floor, floors.get(client, 0))
            cache.settle(client, floor)
            kept = {k: t for k, t in kept.items() if k[0] != client or k[1] >= floors[client]}
        if random.random() < 0.2:
            now += random.choice((1.0, 100.0, 300.0))
            cache.tick(now)
            kept = {key: time for key, time in kept.items() if _stays(time, now, key, cache)}
        floors = {c: floor for c, floor in floors.items() if any(key[0] == c for key in kept)}
        cache.check()
        assert len(cache) == len(kept)


def _stays(since: float, now: float, key: Tuple[str, int], cache: RetryCache) -> Optional[bool]:
    """Whether an answer is still there; it must be for ten minutes, and go at the next round."""
    there = cache.get(Op(*key)) is not None
    assert there or now - since >= KEEP_SECONDS, (key, since, now)
    assert not there or now - since < KEEP_SECONDS + 300.0, (key, since, now)
    return there
