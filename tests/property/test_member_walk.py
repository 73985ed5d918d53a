"""A member's database against the same decisions in memory, over starts and kills, by a seed."""

import shutil
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest

from metadata_service.calls import Witness
from metadata_service.edits import join_lines
from metadata_service.member import member_core as member
from metadata_service.member.member_core import Change
from metadata_service.member.member_record import Record, alone
from metadata_service.quorum import START, Configuration, Place
from metadata_service.record import edit_log, metadata_db
from metadata_service.record.chain import places
from metadata_service.record.edit_log import EditLog
from metadata_service.record.sqlite import Cursor
from metadata_service.record.metadata_db import MetadataDatabase
from tests.support.models.memory_member import BLANK, CLUSTER, MemoryMember
from tests.support.models.sample_edits import BYTES_MAX, file_edit, image_of, lines_of
from zookeeper.fabric.errors import DfsError

KEEP = 8
STEPS = 80
ADDRESSES = ("a:1", "b:1", "c:1")


class Log:
    """What some leader has: edits that go on from what another one had."""

    def __init__(self, lines: List[str]) -> None:
        self.lines = lines
        self.places: List[Place] = [START, *places(START, lines)]

    def went_on(self, after: int, name: str, count: int) -> "Log":
        """Other edits in the place of what comes after one."""
        edits = [file_edit(after + number, name) for number in range(1, count + 1)]
        return Log(self.lines[:after] + lines_of(edits))


class Walk:
    """One database and one model, which are told the same."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._random = Random(seed)
        self._folder = folder / "0"
        self._folder.mkdir()
        self._kills = 0
        self.database = self._open()
        self.model = MemoryMember(
            BLANK._replace(member_id=self.database.status().member_id), KEEP, 0.0)
        self._logs = [Log([])]
        self._owners: Dict[int, str] = {}

    def _open(self) -> MetadataDatabase:
        return MetadataDatabase.open(str(self._folder), KEEP, 0.0, blank=True)

    def step(self) -> None:
        """Something happens, and both have made the same of it."""
        self._random.choice([
            self._claim, *[self._adopt] * 3, *[self._append] * 7, self._take_over,
            self._prove, self._pull,
            self._settle, self._stand, self._read, self._restart, self._kill,
        ])()  # fmt: skip
        self.compare()

    def compare(self) -> None:
        """Both know the same, and have the same rows."""
        self.database.check()
        ours, theirs = (each.status()._replace(silent_seconds=0.0)
                        for each in (self.database, self.model))
        assert ours == theirs
        assert image_of(self.database) == self.model.tables

    def _both(self, name: str, *args: Any) -> None:
        """Make a call at both."""
        told = [_outcome(getattr(each, name), args) for each in (self.database, self.model)]
        assert told[0] == told[1], (name, args)

    def _epoch(self) -> int:
        return max(self.model.record.promised + self._random.choice((-1, 0, 0, 0, 0, 0, 0, 1)), 1)

    def _owner(self, epoch: int) -> str:
        chosen = f"{self._random.choice(ADDRESSES)} {epoch}"
        return chosen if self._random.random() < 0.05 else self._owners.setdefault(epoch, chosen)

    def _claim(self) -> None:
        epoch = self._epoch() + self._random.randrange(2)
        self._both("claim", CLUSTER, epoch, self._owner(epoch))

    def _adopt(self) -> None:
        epoch, record = self._epoch(), self.model.record
        log = self._log_that_goes_on(f"epoch {epoch}")
        behind = self._place(log)
        last = min(len(log.lines), behind.txid + self._random.randrange(6))
        self._both("adopt", epoch, self._owner(epoch), behind,
                   join_lines(log.lines[behind.txid : last]), self._decided(record),
                   self._configuration())

    def _take_over(self) -> None:
        """As a new leader does it that comes with what another member had."""
        epoch, record = self.model.record.promised + 1, self.model.record
        if not record.cluster_id:
            return
        after = self._random.randint(record.applied.txid, record.last.txid)
        log = self._log_that_goes_on(f"epoch {epoch}", after)
        behind = log.places[min(record.applied.txid, len(log.lines))]
        self._both("claim", CLUSTER, epoch, self._owner(epoch))
        self._both("adopt", epoch, self._owner(epoch), behind,
                   join_lines(log.lines[behind.txid :]), after + self._random.randrange(3),
                   self._configuration())

    def _append(self) -> None:
        record = self.model.record
        log = self._log_that_goes_on(f"epoch {record.log_epoch}")
        behind = self._place(log)
        last = min(len(log.lines), behind.txid + self._random.randrange(6))
        witness: Witness = (("m2", record.log_epoch, behind.txid),)
        self._both("append", self._epoch(), behind, join_lines(log.lines[behind.txid : last]),
                   self._decided(record), self._random.choice(((), witness)))

    def _pull(self) -> None:
        log = self._log_that_goes_on("of a peer")
        behind = self._place(log)
        self._both("pull", behind, join_lines(log.lines[behind.txid : behind.txid + 5]))

    def _log_that_goes_on(self, name: str, after: Optional[int] = None) -> Log:
        """Mostly one that goes on from what the member has, or a part of that."""
        record = self.model.record
        fitting = [log for log in self._logs
                   if record.last.txid < len(log.places)
                   and log.places[record.last.txid] == record.last]
        if not fitting:
            return self._random.choice(self._logs)
        if after is None:
            after = self._random.choice((record.last.txid, record.last.txid, record.applied.txid))
        made = fitting[0].went_on(after, name, self._random.randrange(1, 6))
        self._logs = [*self._logs[-5:], made]
        return made

    def _place(self, log: Log) -> Place:
        record = self.model.record
        chosen = self._random.choice((record.last.txid, record.last.txid, record.applied.txid,
                                      self._random.randrange(len(log.places))))
        return log.places[min(chosen, len(log.places) - 1)]

    def _decided(self, record: Record) -> int:
        return self._random.choice((0, record.applied.txid, record.last.txid,
                                    record.applied.txid + self._random.randrange(6)))

    def _configuration(self) -> Configuration:
        own = (self.model.record.member_id, "a:1")
        three = (own, ("m2", "b:1"), ("m3", "c:1"))
        return self._random.choice((
            alone(*own), *[Configuration(2, (three,))] * 4, Configuration(3, (three, (own,))),
        ))  # fmt: skip

    def _prove(self) -> None:
        self._both("prove", self._epoch(), self._decided(self.model.record))

    def _settle(self) -> None:
        self.database.settle()
        self.model.settle()

    def _stand(self) -> None:
        if self._random.random() < 0.5:
            self.database.stand_still()
            self.model.core.still = True
        else:
            self.database.go_on()
            self.model.core.still = False

    def _read(self) -> None:
        txid = self._random.randrange(self.model.record.last.txid + 2)
        assert self.database.tail(txid, 5, 0.0, BYTES_MAX) == self.model.tail(txid, 5, 0.0)
        epoch = self._epoch()
        ours = _outcome(self.database.undecided, (epoch, txid, 5, BYTES_MAX))
        assert ours == _outcome(self.model.undecided, (epoch, txid, 5))

    def _restart(self) -> None:
        self.database.close()
        self.database = self._open()
        self.model.restart()

    def _kill(self) -> None:
        """What is in its files at this moment is all that there is."""
        self._kills += 1
        copy = self._folder.parent / str(self._kills)
        shutil.copytree(self._folder, copy)
        self.database.close()
        self._folder = copy
        self.database = self._open()
        self.model.restart()


def _outcome(call: Callable[..., Any], args: Tuple[Any, ...]) -> Tuple[Any, ...]:
    """What came of a call, but for times."""
    try:
        found = call(*args)
    except DfsError as error:
        return type(error), error.message
    return (found._replace(silent_seconds=0.0) if hasattr(found, "silent_seconds") else found,)


@pytest.fixture(autouse=True, name="small")
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Limits that are met often."""
    monkeypatch.setattr(member, "PRUNE_EDITS", 3)
    monkeypatch.setattr(member, "APPLY_EDITS_MAX", 4)
    yield


def walk(folder: Path, seed: int) -> Walk:
    """From a blank member on."""
    made = Walk(folder, seed)
    try:
        for _ in range(STEPS):
            made.step()
    finally:
        made.database.close()
    return made


@pytest.mark.parametrize("seed", range(10))
def test_a_database_does_what_its_member_decides(tmp_path: Path, seed: int) -> None:
    walk(tmp_path, seed)


def test_the_walks_go_somewhere(tmp_path: Path) -> None:
    last, epochs = 0, 0
    for seed in range(5):
        folder = tmp_path / f"walk {seed}"
        folder.mkdir()
        record = walk(folder, seed).model.record
        last, epochs = max(last, record.last.txid), max(epochs, record.log_epoch)
    assert last > 20 and epochs > 5


def _never_cuts(real: Callable[..., Any]) -> Callable[..., Any]:
    def store(self: EditLog, cursor: Cursor, before: Record, change: Change) -> Any:
        return real(self, cursor, before, change._replace(cut=before.last.txid))

    return store


def _applies_what_was_cut(real: Callable[..., Any]) -> Callable[..., Any]:
    def edits(self: EditLog, txid: int, last: int, change: Change) -> Any:
        return self._recent.unapplied(txid, last) or real(self, txid, last, change)

    return edits


def _forgets_what_is_applied(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda old, new: {
        name: value for name, value in real(old, new).items() if name != "applied"}


def _forgets_the_promise(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda old, new: {
        name: value for name, value in real(old, new).items() if name != "log_epoch"}


MISTAKES: Dict[str, Tuple[Any, str, Callable[..., Any]]] = {
    "the end of the log is not cut": (edit_log.EditLog, "store", _never_cuts),
    "what was cut is applied": (edit_log.EditLog, "_edits", _applies_what_was_cut),
    "it is not noted what is applied": (metadata_db, "changed_rows", _forgets_what_is_applied),
    "it is not noted whose log it is": (metadata_db, "changed_rows", _forgets_the_promise),
}


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_mistake_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    owner, name, wrap = MISTAKES[mistake]
    monkeypatch.setattr(owner, name, wrap(getattr(owner, name)))
    with pytest.raises((AssertionError, DfsError)):
        for seed in range(10):
            folder = tmp_path / f"walk {seed}"
            folder.mkdir()
            walk(folder, seed)
