"""The trash is emptied by the running datanode, after its time and not before."""

from pathlib import Path

import pytest

from data_service.datanode.background.trash_emptier import TrashEmptier
from tests.support.disks.stores import names, opened, put
from tests.support.clusters.waiting import wait_until


def test_the_trash_goes_after_its_time(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.move_to_trash(put(store, 7, b"x"))
    kept = put(store, 8, b"x")
    trash = TrashEmptier(store.volumes, 0.2)
    trash.start()
    wait_until(lambda: not names(tmp_path, ("trash",)))
    trash.stop()
    assert store.replicas.inventory()[:2] == ((kept,), ())
    store.close()



def test_a_defect_does_not_end_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    calls = []

    def broken(_seconds: float) -> int:
        calls.append(1)
        raise KeyError("a defect")

    monkeypatch.setattr(store.volumes, "empty_trash", broken)
    trash = TrashEmptier(store.volumes, 0.2)
    trash.start()
    wait_until(lambda: len(calls) > 2)
    trash.stop()
    store.close()
