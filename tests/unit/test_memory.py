"""The collector of garbage, while a namenode leads and after."""

import gc
from typing import Any, Iterator, List

import pytest

from data_service.namenode.leading import memory

MANY = 200_000


@pytest.fixture(name="looked_at")
def _looked_at() -> Iterator[List[int]]:
    """Which generations the collector has looked at; no term of another test leads any more."""
    memory.release()
    seen: List[int] = []

    def note(phase: str, about: Any) -> None:
        if phase == "start":
            seen.append(about["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    memory.release()


def test_what_has_stayed_is_never_looked_at_while_a_namenode_leads(looked_at: List[int]) -> None:
    """After 60,000 directories were made, nobody was answered for 124 ms."""
    usual = gc.get_threshold()
    with memory.of_an_image():
        looked_at.clear()
        loaded = [[number] for number in range(MANY)]
        assert looked_at == []
    made = [[number] for number in range(2 * MANY)]
    assert set(looked_at) == {0, 1}, "what is new is looked at"
    memory.release()
    # When Python does so depends on how much there is besides, such as thousands of tests.
    assert gc.get_threshold() == usual and loaded and made, "and everything when none leads"


def test_what_was_loaded_goes_with_its_term() -> None:
    class Inode:
        def __init__(self) -> None:
            self.parent = self

    def alive() -> int:
        return sum(isinstance(one, Inode) for one in gc.get_objects())

    with memory.of_an_image():
        inode = Inode()
    assert inode and gc.get_freeze_count() > 0
    del inode
    gc.collect()
    memory.release()
    assert alive() == 0 and gc.get_freeze_count() == 0
