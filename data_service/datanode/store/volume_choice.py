"""How full the directories of a datanode are together, and which of them takes a new replica."""

import itertools
import threading
from typing import Callable, Collection, Dict, Iterator, List, NamedTuple, Set, Tuple

from data_service.datanode.store.volume import Volume
from data_service.protocol.checksums import CHUNK_BYTES
from zookeeper.fabric import logs
from zookeeper.fabric.errors import Busy, DiskFailed, DiskFull

log = logs.get("volumes")

GIVE_UP_SECONDS = 600.0
"""After so long without an answer a directory has failed, as in HDFS (its disk check's timeout):
its replicas come from elsewhere."""

GRAIN_BYTES = 16 << 20
"""Directories whose rooms differ by less take turns: those on one disk were not measured at the
same moment."""


class _Room(NamedTuple):
    free: int
    total: int
    device: int
    volume: Volume


class VolumeChoice:
    """Chooses among the volumes that `working` tells. May be used by any thread.

    `silent` are the roots of those that did not answer when they were last asked.
    """

    def __init__(self, working: Callable[[], List[Volume]]) -> None:
        self.silent: Set[str] = set()
        self._working = working
        self._turns = itertools.count()
        self._choosing = threading.Lock()

    def capacity(self) -> Tuple[int, int]:
        """(bytes in all, bytes that may still be written besides what is being written now).

        Directories on one disk share its space, which must not count twice.
        """
        disks = {room.device: room for room in _left(list(self._rooms()))}.values()
        return sum(room.total for room in disks), sum(room.free for room in disks)

    def roomiest(self, size: int, besides: Collection[Volume] = ()) -> Tuple[Volume, int]:
        """The directory with the most room, and how many of `size` bytes are set aside there.

        Raises DiskFull when it has less: a write goes elsewhere before the disk is full. To be
        settled as they are written, or when they are not. Those on one disk take turns; those whose
        disk is doubtful come last, and none of `besides` is chosen.
        """
        rooms = list(self._rooms(for_writer=True))
        if not rooms and self._working():
            raise Busy("no directory of this datanode answers")
        if not rooms:
            raise DiskFailed("no directory of this datanode works any more")
        turn = next(self._turns) % len(rooms)
        with self._choosing:
            left = [room for room in _left(rooms[turn:] + rooms[:turn])
                    if room.volume not in besides]
            fitting = [room for room in left if room.free >= max(size, CHUNK_BYTES)]
            if not fitting:
                free = max((room.free for room in left), default=0)
                raise DiskFull(f"{size} bytes do not fit: {free} bytes free besides the reserve")
            room = max(fitting, key=_preference)
            return room.volume, room.volume.space.promise(size)

    def _rooms(self, for_writer: bool = False) -> Iterator[_Room]:
        # All are asked before the first answer is waited for.
        asked_of = [(volume, volume.space.ask(for_writer)) for volume in self._working()]
        for volume, asked in asked_of:
            if volume.health.silent_seconds() > GIVE_UP_SECONDS:
                volume.fail(f"{volume.root} has not answered for {GIVE_UP_SECONDS:.0f} s")
                continue
            try:
                device, total, free = volume.space.measured(asked)
            except (DiskFailed, Busy) as error:
                self._hear(volume, error.message)
            else:
                self._hear(volume, "")
                yield _Room(free, total, device, volume)

    def _hear(self, volume: Volume, trouble: str) -> None:
        """Log when a directory falls silent, or is heard again, and not at every measure."""
        if trouble and volume.root not in self.silent:
            self.silent.add(volume.root)
            log.warning("volume.silent", root=volume.root, error=trouble)
        elif not trouble and volume.root in self.silent:
            self.silent.discard(volume.root)
            log.info("volume.answers", root=volume.root)

    def __repr__(self) -> str:
        return f"<VolumeChoice among {self._working()}>"


def _preference(room: _Room) -> Tuple[bool, int]:
    return not room.volume.health.is_doubtful, room.free // GRAIN_BYTES


def _left(rooms: List[_Room]) -> List[_Room]:
    """The rooms without what is promised in them; directories on one disk share it."""
    promised: Dict[int, int] = {}
    for room in rooms:
        promised[room.device] = promised.get(room.device, 0) + room.volume.space.promised
    return [room._replace(free=max(0, room.free - promised[room.device])) for room in rooms]
