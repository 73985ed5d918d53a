"""Who breaks things: what cannot be broken ends no trial."""

import errno
from random import Random
from types import SimpleNamespace
from typing import Any, List

import pytest

from tests.chaos.history import History
from tests.chaos.thrasher import Thrasher


def test_a_fault_that_cannot_be_carried_out_is_counted_and_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    met: List[int] = []

    def damage_on_a_full_disk() -> bool:
        met.append(errno.ENOSPC if len(met) % 2 else errno.ENOENT)
        raise OSError(met[-1], "cannot be")

    def nobody(*_: Any) -> Any:
        return [damage_on_a_full_disk], [1]

    monkeypatch.setattr(Thrasher, "_choose_deeds", nobody)
    cluster: Any = SimpleNamespace(roles=[], daemons={})
    history = History()
    thrasher = Thrasher(cluster, [], {}, SimpleNamespace(), history, Random(1))  # type: ignore
    while len(met) < 2:
        thrasher.run(0.05, 0.001)
    assert thrasher.deeds_failed == len(met) and thrasher.deeds_done == 0
    assert "could not damage on a full disk" in str(history.notes[0])
