"""The newest edits of a leader: who missed some gets them, and they stay within bounds."""

from typing import List

import pytest

from metadata_service.leader import ring as ring_module
from metadata_service.leader.ring import Ring
from metadata_service.quorum import START, Place
from metadata_service.record.chain import following


def lines(first: int, last: int) -> List[str]:
    """Texts of edits, as long as each other."""
    return [f"edit {txid:3}" for txid in range(first, last + 1)]


def test_a_place_is_known_by_its_digest() -> None:
    ring = Ring(START, lines(1, 3))
    ring.check()
    second = following(following("", "edit   1"), "edit   2")
    assert ring.place(2) == Place(2, second) and ring.place(0) == START and len(ring) == 3
    assert ring.has(START) and ring.has(Place(2, second)) and ring.has(ring.last)
    assert not ring.has(Place(2, "another")) and not ring.has(Place(4, second))
    assert repr(ring) == "<Ring of the edits 1 to 3>"


def test_who_missed_edits_gets_as_many_as_fit() -> None:
    ring = Ring(START, lines(1, 9))
    assert ring.behind(0, 1000) == lines(1, 9) and ring.behind(9, 1000) == []
    assert ring.behind(4, 27) == lines(5, 7) and ring.behind(4, 1) == lines(5, 5)


@pytest.mark.parametrize("edits, size", [(4, 10**6), (10**6, 36)])
def test_old_edits_are_dropped(monkeypatch: pytest.MonkeyPatch, edits: int, size: int) -> None:
    monkeypatch.setattr(ring_module, "EDITS_MAX", edits)
    monkeypatch.setattr(ring_module, "BYTES_MAX", size)
    ring, all_of_them = Ring(START), Ring(START)
    for txid in range(1, 10):
        ring.add(lines(txid, txid))
        all_of_them.add(lines(txid, txid))
        ring.check()
    assert ring.base.txid == 5 and not ring.has(START) and ring.has(ring.base)
    assert ring.last == all_of_them.last and ring.behind(5, 1000) == lines(6, 9)
    with pytest.raises(KeyError):
        ring.place(4)
    ring.add(lines(10, 19))
    ring.check()
    assert ring.behind(9, 1000) == lines(10, 19), "what was added last is not decided yet"
