"""The directories of one datanode, as one: whose they are, what they remember, how full they are.

A directory that fails, at start or later, costs its replicas only, as long as another one works.
When none works any more, the datanode stays up without room.
"""

import itertools
import threading
import uuid
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple, TypeVar

from data_service.datanode import layout
from data_service.datanode.volume import Volume
from data_service.protocol.checksums import CHUNK_BYTES
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import Busy, CorruptData, DfsError, DiskFailed, DiskFull, StartRefused

log = logs.get("volumes")

_Result = TypeVar("_Result")


class _Room(NamedTuple):
    free: int
    total: int
    device: int
    volume: Volume


class Volumes:
    """All directories of a datanode; `on_failure` is told when one has failed.

    After `open`, `node_id` is the datanode's identity, the same in all directories, and
    `cluster_id` the cluster that they belong to, empty before the first registration.
    """

    def __init__(
        self,
        directories: Sequence[str],
        reserved_bytes: int,
        on_failure: Callable[[], None],
        system: disk.SystemCalls = disk.SYSTEM,
    ) -> None:
        self._volumes = [Volume(path, reserved_bytes, on_failure, system) for path in directories]
        self._turns = itertools.count()
        self._choosing = threading.Lock()
        self._epoch = self._saved_epoch = 0
        self.node_id = ""
        self.cluster_id = ""

    def open(self) -> None:
        """Lock every directory, give new ones the identity of the others; StartRefused."""
        # All identities are read before a new directory gets one, wherever it stands in the list.
        self.for_each(Volume.open)
        self.node_id = self._identity("node_id") or uuid.uuid4().hex
        self.cluster_id = self._identity("cluster_id")
        self.for_each(self._format_if_new)
        self._refuse_clones()
        if not self.working:
            raise StartRefused(self._volumes[0].failed)
        try:
            self._epoch = max(volume.read_number(layout.EPOCH) for volume in self.working)
        except CorruptData as error:
            raise StartRefused(f"{self._volumes} cannot be used: {error.message}") from None
        self._saved_epoch = self._epoch

    def close(self) -> None:
        """Release all directories."""
        for volume in self._volumes:
            volume.close()

    @property
    def working(self) -> List[Volume]:
        """The directories that have not failed."""
        return [volume for volume in self._volumes if not volume.failed]

    @property
    def failed(self) -> int:
        """How many directories have failed."""
        return len(self._volumes) - len(self.working)

    def for_each(self, action: Callable[[Volume], None]) -> None:
        """Do what every directory needs at start; one that cannot do it has failed."""
        for volume in self.working:
            try:
                action(volume)
            except (DiskFailed, DiskFull, Busy) as error:
                volume.fail(error.message)

    # What the directories remember.

    def join_cluster(self, cluster_id: str) -> None:
        """Record which cluster this datanode and every one of its directories belongs to."""
        if self.cluster_id not in ("", cluster_id):
            raise StartRefused(
                f"this datanode belongs to cluster {self.cluster_id}, not to {cluster_id}"
            )
        self._try_each(lambda volume: volume.join_cluster(cluster_id))
        self.cluster_id = cluster_id

    @property
    def epoch(self) -> int:
        """The newest namenode epoch that this datanode has obeyed; 0 for none."""
        return self._epoch

    def remember_epoch(self, epoch: int) -> None:
        """Never obey an older namenode from now on, also after a restart.

        When no disk takes the number, it is tried again at the next call: a datanode whose disks
        are full must still be told what to delete.
        """
        self._epoch = max(self._epoch, epoch)
        if self._epoch > self._saved_epoch:
            if self._try_each(lambda volume: volume.write_number(layout.EPOCH, self._epoch)):
                self._saved_epoch = self._epoch

    @property
    def scan_position(self) -> int:
        """The block id that the scanner looked at last, also before a restart."""
        return max((volume.read_scan_position() for volume in self.working), default=0)

    @scan_position.setter
    def scan_position(self, block_id: int) -> None:
        self._try_each(lambda volume: volume.write_number(layout.SCAN_POSITION, block_id))

    def empty_trash(self, older_than_seconds: float) -> int:
        """Delete what has been in the trash for so much use; returns how many files went."""
        return sum(self._try_each(lambda volume: volume.empty_trash(older_than_seconds)))

    # Room.

    def capacity(self) -> Tuple[int, int]:
        """(bytes in all, bytes that may still be written besides what is being written now).

        Directories on one disk share its space, which must not count twice.
        """
        disks = {room.device: room for room in _left(list(self._rooms()))}.values()
        return sum(room.total for room in disks), sum(room.free for room in disks)

    def roomiest(self, size: int) -> Volume:
        """The directory with the most room, where `size` bytes are set aside from now on.

        Raises DiskFull when it has less: a write goes elsewhere before the disk is full. To be
        settled as they are written, or when they are not. Those on one disk take turns.
        """
        rooms = list(self._rooms())
        if not rooms:
            raise DiskFailed("no directory of this datanode works any more")
        turn = next(self._turns) % len(rooms)
        with self._choosing:
            room = max(_left(rooms[turn:] + rooms[:turn]), key=lambda room: room.free)
            if room.free < max(size, CHUNK_BYTES):
                raise DiskFull(
                    f"{size} bytes do not fit: {room.free} bytes free besides the reserve"
                )
            room.volume.promise(size)
        return room.volume

    def _rooms(self) -> Iterator[_Room]:
        for volume in self.working:
            try:
                device, total, free = volume.space()
            except (DiskFailed, Busy) as error:
                log.warning("volume.not_measured", root=volume.root, error=error.message)
            else:
                yield _Room(free, total, device, volume)

    # Within.

    def _try_each(self, action: Callable[[Volume], _Result]) -> List[_Result]:
        """Do something in every directory; the results of those where it worked."""
        results = []
        for volume in self.working:
            try:
                results.append(action(volume))
            except DfsError as error:
                log.warning("volume.in_trouble", root=volume.root, error=error.message)
        return results

    def _identity(self, field: str) -> str:
        values = {getattr(volume.version, field) for volume in self.working} - {""}
        if len(values) > 1:
            raise StartRefused(
                f"the directories belong to different datanodes or clusters ({field}: "
                f"{', '.join(sorted(values))}); check data_node_dir in config.ini"
            )
        return min(values, default="")

    def _format_if_new(self, volume: Volume) -> None:
        if not volume.version.node_id:
            volume.format(self.node_id)

    def _refuse_clones(self) -> None:
        roots: Dict[str, str] = {}
        for volume in self.working:
            other = roots.setdefault(volume.version.storage_id, volume.root)
            if other != volume.root:
                raise StartRefused(f"{volume.root} is a copy of {other}; move one of them away")

    def __repr__(self) -> str:
        return f"<Volumes {self._volumes}>"


def _left(rooms: List[_Room]) -> List[_Room]:
    """The rooms without what is promised in them; directories on one disk share it."""
    promised: Dict[int, int] = {}
    for room in rooms:
        promised[room.device] = promised.get(room.device, 0) + room.volume.promised
    return [room._replace(free=max(0, room.free - promised[room.device])) for room in rooms]
