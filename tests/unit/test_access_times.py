"""Times of access: noted by readers, stored by housekeeping, at most once an hour."""

from data_service.namenode.namespace import access_times
from data_service.namenode.namespace.access_times import PRECISION_MS
from tests.support.models.namenode_core import ROOT, Core

HOUR = PRECISION_MS
LIMIT = 100


def read(core: Core, path: str, wall_ms: int) -> None:
    """Open a file to read it."""
    outcome = core.state.reading.block_locations(ROOT, path, 0, 1, wall_ms)
    assert outcome.edit is None, "a reader waits for no edit of its own"


def atime(core: Core, path: str) -> int:
    """The stored time of access."""
    return core.state.reading.stat(ROOT, path).result.atime_ms


def store(core: Core, limit: int = LIMIT) -> int:
    """Let housekeeping store the notes; how many files that changed."""
    outcome = core.state.store_access_times(limit)
    core.state.check()
    if outcome is None:
        return 0
    core.do(outcome)
    return len(outcome.edit.changes) if outcome.edit else 0


def test_a_time_is_stored_once_an_hour() -> None:
    core = Core()
    core.put("/f", 10)
    made = atime(core, "/f")
    mtime = core.state.reading.stat(ROOT, "/f").result.mtime_ms
    read(core, "/f", made + HOUR)
    assert store(core) == 0 and atime(core, "/f") == made, "it is not old enough"
    for opened in (made + HOUR + 1, made + HOUR + 2):
        read(core, "/f", opened)
    assert atime(core, "/f") == made, "until housekeeping comes"
    assert store(core) == 1 and atime(core, "/f") == made + HOUR + 1
    read(core, "/f", made + 2 * HOUR + 1)
    assert store(core) == 0
    read(core, "/f", made + 2 * HOUR + 2)
    assert store(core) == 1 and store(core) == 0
    assert core.state.reading.stat(ROOT, "/f").result.mtime_ms == mtime
    core.restart()
    assert atime(core, "/f") == made + 2 * HOUR + 2


def test_a_look_is_no_access() -> None:
    core = Core()
    core.put("/f", 10)
    core.state.set_times(ROOT, core.op(), "/f", None, 0)
    core.state.reading.block_locations(ROOT, "/f", 0, 1)
    core.state.reading.stat(ROOT, "/f")
    assert store(core) == 0


def test_many_are_stored_a_bounded_number_at_a_time() -> None:
    core = Core()
    for number in range(5):
        core.put(f"/{number}", 10)
        read(core, f"/{number}", 2 * HOUR)
    assert [store(core, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert [atime(core, f"/{number}") for number in range(5)] == [2 * HOUR] * 5


def test_what_changed_meanwhile_is_left_alone() -> None:
    core = Core()
    for path in ("/deleted", "/purged", "/set", "/moved"):
        core.put(path, 10)
    for path in ("/deleted", "/purged", "/set", "/moved"):
        read(core, path, 2 * HOUR)
    core.delete("/purged")
    core.do(core.state.purge_step(LIMIT))
    core.delete("/deleted")
    core.do(core.state.set_times(ROOT, core.op(), "/set", None, 3 * HOUR))
    core.rename("/moved", "/here")
    assert store(core) == 1
    assert (atime(core, "/set"), atime(core, "/here")) == (3 * HOUR, 2 * HOUR)


def test_safe_mode_keeps_the_notes() -> None:
    core = Core()
    core.put("/f", 10)
    read(core, "/f", 2 * HOUR)
    core.state.blocks.enter_safe_mode()
    assert store(core) == 0
    core.state.blocks.leave_safe_mode(0.0)
    assert store(core) == 1


def test_there_is_an_end_to_notes() -> None:
    core = Core()
    times = core.state.reading.access_times
    limit, access_times.NOTES_MAX = access_times.NOTES_MAX, 1
    try:
        for path in ("/a", "/b"):
            core.put(path, 10)
            read(core, path, 2 * HOUR)
        assert repr(times) == "<AccessTimes 1 noted>"
        assert store(core) == 1
    finally:
        access_times.NOTES_MAX = limit
