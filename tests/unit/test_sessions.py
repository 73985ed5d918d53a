"""Sessions: expiry by the caller's clock alone, takeover by owner, limits, versions."""

from typing import Iterator, List

import pytest

from zookeeper.fabric.errors import Busy, InvalidArgument, PathExists, PathNotFound, SessionExpired
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.roles import SESSIONS_PER_HOST_MAX
from zookeeper.sessions import (
    DATA_BYTES_MAX,
    PATH_LENGTH_MAX,
    SESSIONS_MAX,
    ZNODES_PER_SESSION_MAX,
    Children,
    Sessions,
)

BASE = 1000
PATH = "/data_nodes/localhost:1801"


@pytest.fixture(name="table")
def _table() -> Iterator[Sessions]:
    table = Sessions(expiry_seconds=10.0, base_version=BASE, now=0.0)
    yield table
    table.check()


def tick_until(table: Sessions, now: float, start: float = 0.0) -> List[str]:
    """Tick every second up to `now`, as the daemon does; the ids that expired."""
    expired: List[str] = []
    second = start
    while second < now:
        second = min(second + 1.0, now)
        expired.extend(table.tick(second))
    return expired


def test_a_silent_session_goes_with_its_znodes(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    table.open("s2", "node-2", now=0.0)
    table.create("s1", PATH, "node-1")
    table.create("s2", "/data_nodes/localhost:1802", "node-2")
    assert tick_until(table, 6.0) == []
    table.heartbeat("s2", now=6.0)
    assert tick_until(table, 10.0, start=6.0) == [], "the deadline itself is still in time"
    assert tick_until(table, 11.0, start=10.0) == ["s1"]
    assert table.children("/data_nodes").znodes == (("/data_nodes/localhost:1802", "node-2"),)
    with pytest.raises(SessionExpired):
        table.heartbeat("s1", now=11.0)


def test_silent_sessions_go_in_the_order_of_their_deadlines(table: Sessions) -> None:
    for session_id, opened in (("b", 0.0), ("c", 0.2), ("a", 0.4)):
        table.open(session_id, "node", opened)
    assert tick_until(table, 10.5) == ["b", "c", "a"]


def test_a_late_tick_expires_nobody_hdfs_9107(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    assert table.tick(1.0) == {}
    assert table.tick(3601.0) == {}, "the process was suspended: it heard nobody for that reason"
    assert table.is_open("s1")
    # 9 seconds were left before the pause, and 9 are left after it.
    assert tick_until(table, 3610.0, start=3601.0) == []
    assert tick_until(table, 3611.0, start=3610.0) == ["s1"]


def test_a_pause_is_not_given_to_a_session_that_was_heard_after_it(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    table.tick(1.0)
    table.heartbeat("s1", now=3600.9)
    table.tick(3601.0)
    assert tick_until(table, 3612.0, start=3601.0) == ["s1"]


def test_a_tick_that_is_late_by_half_the_expiry_still_counts(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    assert table.tick(5.0) == {}
    assert table.tick(10.0) == {}
    assert table.tick(15.0) == {"s1": "node-1"}


def test_a_clock_that_starts_anywhere_is_fine() -> None:
    table = Sessions(expiry_seconds=1.0, base_version=BASE, now=-5.0)
    table.open("s1", "node-1", now=-5.0)
    assert tick_until(table, -4.0, start=-5.0) == []


def test_close_frees_the_znodes_at_once(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    table.create("s1", PATH, "node-1")
    table.close("s1")
    assert table.children("/data_nodes").znodes == ()
    with pytest.raises(SessionExpired):
        table.close("s1")


def test_another_owner_cannot_take_a_live_znode(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    table.open("s2", "node-2", now=0.0)
    table.create("s1", PATH, "node-1")
    with pytest.raises(PathExists):
        table.create("s2", PATH, "node-1")
    assert table.children("/data_nodes").znodes == ((PATH, "node-1"),)


def test_a_restarted_owner_takes_its_znode_over_at_once(table: Sessions) -> None:
    table.open("old", "node-1", now=0.0)
    table.create("old", PATH, "node-1")
    before = table.children("/data_nodes")
    table.open("new", "node-1", now=3.0)
    table.create("new", PATH, "node-1")
    assert table.children("/data_nodes") == before, "nothing changed for the watchers"
    table.close("old")
    assert table.children("/data_nodes") == before, "the old session no longer holds it"


def test_the_older_session_of_an_owner_cannot_take_back(table: Sessions) -> None:
    table.open("old", "node-1", now=0.0)
    table.open("new", "node-1", now=0.0)
    table.create("old", PATH, "1")
    table.create("new", PATH, "2")
    with pytest.raises(PathExists):
        table.create("old", PATH, "3")
    with pytest.raises(PathNotFound):
        table.remove("old", PATH)
    assert table.children("/data_nodes").znodes == ((PATH, "2"),)


def test_remove_takes_back_only_ones_own(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    table.open("s2", "node-2", now=0.0)
    table.create("s1", PATH, "node-1")
    with pytest.raises(PathNotFound):
        table.remove("s2", PATH)
    table.remove("s1", PATH)
    assert table.children("/data_nodes").znodes == ()
    with pytest.raises(PathNotFound):
        table.remove("s1", PATH)


def test_versions_tell_every_change_and_only_changes(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    empty = table.children("/data_nodes")
    assert empty == Children(BASE, ())
    table.create("s1", PATH, "1")
    first = table.children("/data_nodes")
    table.create("s1", PATH, "1")
    assert table.children("/data_nodes") == first, "the same again is no change"
    table.create("s1", "/name_nodes/localhost:1701", "x")
    assert table.children("/data_nodes") == first, "another parent has another version"
    table.create("s1", PATH, "2")
    second = table.children("/data_nodes")
    table.remove("s1", PATH)
    assert table.children("/data_nodes") == empty
    table.create("s1", PATH, "1")
    third = table.children("/data_nodes")
    assert len({empty.version, first.version, second.version, third.version}) == 4
    assert table.version("/data_nodes") == third.version


def test_children_are_direct_and_sorted(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    for path in ("/b/2", "/b/1", "/b/1/x", "/a", "/bb/3"):
        table.create("s1", path, path)
    assert table.children("/b").znodes == (("/b/1", "/b/1"), ("/b/2", "/b/2"))
    assert table.children("/").znodes == (("/a", "/a"),)


@pytest.mark.parametrize(
    "path", ["", "/", "a", "/a/", "//a", "/a//b", "/a b", "/é", "/a\n", "/a\0", "/" + "a" * 512]
)
def test_a_path_that_is_none_is_refused(table: Sessions, path: str) -> None:
    table.open("s1", "node-1", now=0.0)
    with pytest.raises(InvalidArgument):
        table.create("s1", path, "")


def test_limits_of_a_session(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    table.create("s1", "/" + "a" * (PATH_LENGTH_MAX - 1), "x" * DATA_BYTES_MAX)
    for text in ("x" * (DATA_BYTES_MAX + 1), "é" * (DATA_BYTES_MAX // 2 + 1), "\ud800"):
        with pytest.raises(InvalidArgument):
            table.create("s1", "/b", text)
    for number in range(ZNODES_PER_SESSION_MAX - 1):
        table.create("s1", f"/many/{number}", "")
    with pytest.raises(Busy):
        table.create("s1", "/one/more", "")
    table.create("s1", "/many/0", "an update is not one more")
    with pytest.raises(InvalidArgument):
        table.children("no path")


def test_the_number_of_sessions_is_limited_and_comes_back(table: Sessions) -> None:
    for number in range(SESSIONS_MAX):
        table.open(f"s{number}", "node", now=0.0)
    with pytest.raises(Busy):
        table.open("one more", "node", now=0.0)
    table.close("s0")
    table.open("one more", "node", now=0.0)


@pytest.mark.parametrize("owner", ["", "a\nb", "\ud800", "x" * 513])
def test_an_owner_that_is_no_name_is_refused(table: Sessions, owner: str) -> None:
    with pytest.raises(InvalidArgument):
        table.open("s1", owner, now=0.0)


def test_an_unknown_session_is_told_so(table: Sessions) -> None:
    for step in (
        lambda: table.heartbeat("s1", 0.0),
        lambda: table.create("s1", PATH, ""),
        lambda: table.remove("s1", PATH),
        lambda: table.owner("s1"),
    ):
        with pytest.raises(SessionExpired):
            step()


def test_repr_tells_the_state(table: Sessions) -> None:
    table.open("s1", "node-1", now=0.0)
    table.create("s1", PATH, "")
    assert repr(table) == "<Sessions 1 open, 1 znodes>"


def test_a_session_is_told_what_it_still_holds(table: Sessions) -> None:
    table.open("old", "node-1", now=0.0)
    assert table.held("old") == ()
    table.create("old", PATH, "1")
    table.create("old", "/data_nodes/b", "2")
    assert table.held("old") == (("/data_nodes/b", "2"), (PATH, "1"))
    table.open("new", "node-1", now=0.0)
    table.create("new", PATH, "3")
    assert table.held("old") == (("/data_nodes/b", "2"),)
    table.close("new")
    assert table.held("old") == (("/data_nodes/b", "2"),), "it has to register again"
    table.create("old", PATH, "1")
    with pytest.raises(SessionExpired):
        table.held("new")


def test_the_children_of_a_parent_have_a_size_in_all() -> None:
    table = Sessions(10.0, BASE, 0.0, children_bytes_max=1000)
    held: List[str] = []
    for number in range(20):
        table.open(f"s{number}", f"node-{number}", now=0.0)
        try:
            table.create(f"s{number}", f"/data_nodes/{number}", "x" * 100)
            held.append(f"s{number}")
        except Busy:
            continue
    table.check()
    assert 5 <= len(held) < 10
    table.create("s19", "/name_nodes/19", "x" * 500)
    with pytest.raises(Busy):
        table.create(held[0], "/data_nodes/0", "x" * 500)
    table.create(held[0], "/data_nodes/0", "x")
    table.close(held[1])
    table.create("s18", "/data_nodes/18", "x" * 100)
    table.check()


def test_one_place_cannot_take_the_sessions_of_all(table: Sessions) -> None:
    here, there = {"here data_node": 3, "data_node:1": 2}, {"there data_node": 3}
    for number in range(2):
        table.open(f"s{number}", "node", now=0.0, places=here)
    with pytest.raises(Busy, match="2 sessions of data_node:1 are open"):
        table.open("more", "node", now=0.0, places=here)
    table.open("neighbour", "node", now=0.0, places={"here data_node": 3})
    with pytest.raises(Busy, match="3 sessions of here data_node are open"):
        table.open("more", "node", now=0.0, places={"here data_node": 3})
    table.open("other", "node", now=0.0, places=there)
    table.close("s1")
    table.open("more", "node", now=0.0, places=here)
    table.check()


def test_the_list_of_all_znodes_fits_in_a_message() -> None:
    """What one place may register at most, against half of the default limit of a message."""
    most = SESSIONS_PER_HOST_MAX * ZNODES_PER_SESSION_MAX * (PATH_LENGTH_MAX + DATA_BYTES_MAX)
    assert most < NetworkSettings().max_frame_bytes // 2
