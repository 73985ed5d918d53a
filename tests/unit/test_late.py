"""What is made when it is first wanted."""

import threading
from typing import List

import pytest

from data_service.filesystem.late import Late


class Thing:
    """It remembers that it was made, and closed."""

    made: List["Thing"] = []

    def __init__(self) -> None:
        self.closed = 0
        self.made.append(self)

    def close(self) -> None:
        """Once more."""
        self.closed += 1


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    """Each test counts anew."""
    Thing.made.clear()


def test_nothing_is_made_before_it_is_wanted_or_to_be_closed() -> None:
    late = Late(Thing)
    late.close()
    assert not Thing.made


def test_all_threads_have_the_same() -> None:
    had: List[Thing] = []
    together = threading.Barrier(4, timeout=60)
    late = Late(Thing)

    def want() -> None:
        together.wait()
        had.append(late())

    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(had) == 4 and len(Thing.made) == 1


def test_what_is_made_is_closed_and_so_is_what_is_made_too_late() -> None:
    late = Late(Thing)
    thing = late()
    late.close()
    assert thing.closed == 1 and late() is thing
    ended = Late(Thing)
    ended.close()
    assert ended().closed == 1 and ended().closed == 1


def test_a_forked_process_does_not_wait_for_a_thread_that_it_lacks() -> None:
    late = Late(Thing)
    late._lock.acquire()  # As another thread of the parent did.
    late.forked()
    assert late() in Thing.made
