"""The directories of one datanode, as one: whose they are, what they remember, how full they are.

A directory that fails, at start or later, costs its replicas only, as long as another one works.
When none works any more, the datanode stays up without room.
"""

import itertools
import threading
import time
import uuid
from collections import Counter
from functools import partial
from typing import (
    Callable,
    Collection,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Sequence,
    Set,
    Tuple,
    Type,
    TypeVar,
)

from data_service.datanode.store import mounts
from data_service.datanode.store import layout
from data_service.datanode.store.disk_threads import DiskCall, DiskThread
from data_service.datanode.store.volume import SILENT_SECONDS, Volume
from data_service.protocol.checksums import CHUNK_BYTES
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import Busy, CorruptData, DfsError, DiskFailed, DiskFull, StartRefused

log = logs.get("volumes")

GIVE_UP_SECONDS = 600.0
"""After so long without an answer a directory has failed, as in HDFS (its disk check's timeout):
its replicas come from elsewhere."""

RECORD_SECONDS = 5.0
"""How long a small record may take in all directories together, while its writer waits."""

_LOOK_SECONDS = 0.5

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
        self._silent: Set[str] = set()
        self._epoch = self._saved_epoch = 0
        self.node_id = ""
        self.cluster_id = ""

    def open(self) -> None:
        """Lock every directory, give new ones the identity of the others; StartRefused.

        A directory that cannot be read, belongs to somebody else, or lies where its disk should
        be mounted, has failed; the others are used. Only one that another process has refuses the
        start: else two datanodes that start at once could share the directories of one.
        """
        self._attend(Volume.claim)
        # All identities are read before a new directory gets one, wherever it stands in the list.
        self._attend(Volume.identify, StartRefused)
        self._choose_identity()
        self._refuse_clones()
        self._welcome_new()
        if not self.working:
            raise StartRefused("; ".join(volume.failed for volume in self._volumes))
        self._read_epoch()

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

    @property
    def in_trouble(self) -> int:
        """How many directories have failed or do not answer."""
        return sum(v.health.is_in_trouble or v.root in self._silent for v in self._volumes)

    def for_each(self, action: Callable[[Volume], None]) -> None:
        """Do what every directory needs at start; one that cannot do it has failed.

        All do it at once, for as long as their disks answer: one that hangs delays nobody for
        longer than SILENT_SECONDS.
        """
        self._attend(action)

    def _attend(
        self, action: Callable[[Volume], None], *refusals: Type[DfsError]
    ) -> None:
        told: Tuple[Type[DfsError], ...] = (DiskFailed, DiskFull, Busy, *refusals)
        sent = [(volume, volume.maintenance.send(partial(action, volume)))
                for volume in self.working]
        for volume, call in sent:
            try:
                while not call.over and not volume.is_silent:
                    call.wait(_LOOK_SECONDS)
                call.result(time.monotonic())
            except told as error:
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
        known = self._epoch
        if known > self._saved_epoch:
            if self._try_each(lambda volume: volume.records.write_number(layout.EPOCH, known)):
                self._saved_epoch = known

    @property
    def scan_position(self) -> int:
        """The block id that the scanner looked at last, also before a restart."""
        positions = self._try_each(lambda volume: volume.records.read_hint(layout.SCAN_POSITION))
        return max(positions, default=0)

    @scan_position.setter
    def scan_position(self, block_id: int) -> None:
        self._try_each(lambda volume: volume.records.write_number(layout.SCAN_POSITION, block_id))

    def empty_trash(self, older_than_seconds: float) -> int:
        """Delete what has been in the trash for so much use; returns how many files went."""
        return sum(self._in_each(
            lambda volume: volume.maintenance,
            lambda volume: volume.trash.empty(older_than_seconds),
            SILENT_SECONDS,
        ))

    # Room.

    def capacity(self) -> Tuple[int, int]:
        """(bytes in all, bytes that may still be written besides what is being written now).

        Directories on one disk share its space, which must not count twice.
        """
        disks = {room.device: room for room in _left(list(self._rooms()))}.values()
        return sum(room.total for room in disks), sum(room.free for room in disks)

    def roomiest(
        self, size: int, besides: Collection[Volume] = ()
    ) -> Tuple[Volume, int]:
        """The directory with the most room, and how many of `size` bytes are set aside there.

        Raises DiskFull when it has less: a write goes elsewhere before the disk is full. To be
        settled as they are written, or when they are not. Those on one disk take turns; those whose
        disk is doubtful come last, and none of `besides` is chosen.
        """
        rooms = list(self._rooms())
        if not rooms and self.working:
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
            room = max(fitting, key=lambda room: (not room.volume.health.is_doubtful, room.free))
            return room.volume, room.volume.promise(size)

    def _rooms(self) -> Iterator[_Room]:
        # All are asked before the first answer is waited for.
        for volume, asked in [(volume, volume.ask_for_space()) for volume in self.working]:
            if volume.health.silent_seconds() > GIVE_UP_SECONDS:
                volume.fail(f"{volume.root} has not answered for {GIVE_UP_SECONDS:.0f} s")
                continue
            try:
                device, total, free = volume.space(asked)
            except (DiskFailed, Busy) as error:
                self._tell_silence(volume, error.message)
            else:
                self._tell_silence(volume, "")
                yield _Room(free, total, device, volume)

    def _tell_silence(self, volume: Volume, trouble: str) -> None:
        """Log when a directory falls silent, or is heard again, and not at every measure."""
        if trouble and volume.root not in self._silent:
            self._silent.add(volume.root)
            log.warning("volume.silent", root=volume.root, error=trouble)
        elif not trouble and volume.root in self._silent:
            self._silent.discard(volume.root)
            log.info("volume.answers", root=volume.root)

    # Within.

    def _try_each(self, action: Callable[[Volume], _Result]) -> List[_Result]:
        """Record something in every directory; the results of those where it worked in time."""
        return self._in_each(lambda volume: volume.recording, action, RECORD_SECONDS)

    def _in_each(
        self,
        thread_of: Callable[[Volume], DiskThread],
        action: Callable[[Volume], _Result],
        seconds: float,
    ) -> List[_Result]:
        """Do something in every directory at once; a disk that hangs keeps nobody waiting twice."""
        deadline = time.monotonic() + seconds
        calls: List[Tuple[Volume, DiskCall]] = []
        results = []
        for volume in self.working:
            try:
                calls.append((volume, thread_of(volume).send(partial(action, volume))))
            except Busy as error:
                log.warning("volume.in_trouble", root=volume.root, error=error.message)
        for volume, call in calls:
            try:
                results.append(call.result(deadline))
            except DfsError as error:
                log.warning("volume.in_trouble", root=volume.root, error=error.message)
        return results

    def _choose_identity(self) -> None:
        """Be the datanode that most of the directories belong to, the first ones if in doubt.

        Those of another datanode or cluster have failed, and stay as they are.
        """
        owned = [volume for volume in self.working if volume.version.node_id]
        if not owned and self.failed and self.working:
            raise StartRefused(
                f"whose {self.working[0].root} should be is not known, because no other directory "
                f"can be used: {'; '.join(v.failed for v in self._volumes if v.failed)}"
            )
        votes = Counter(volume.version.node_id for volume in owned)
        # Of equal counts the first one that was met comes first.
        self.node_id = votes.most_common(1)[0][0] if votes else uuid.uuid4().hex
        clusters = Counter(v.version.cluster_id for v in owned
                           if v.version.cluster_id and v.version.node_id == self.node_id)
        self.cluster_id = clusters.most_common(1)[0][0] if clusters else ""
        for volume in owned:
            version = volume.version
            for value, own, what in ((version.node_id, self.node_id, "datanode"),
                                     (version.cluster_id or self.cluster_id, self.cluster_id,
                                      "cluster")):
                if value != own:
                    volume.fail(
                        f"{volume.root} belongs to {what} {value}, the others to {what} {own}: "
                        "check data_node_dir in config.ini"
                    )
                    # Whoever it belongs to may want it.
                    volume.close()

    def _welcome_new(self) -> None:
        """Format new directories, unless they are places where a disk should be mounted."""
        records: Dict[Volume, Dict[str, str]] = {}

        def recall(volume: Volume) -> None:
            try:
                records[volume] = mounts.decode(volume.records.read(mounts.FILE_NAME))
            except CorruptData as error:
                log.warning("record.damaged", root=volume.root, problem=error.message)

        self._attend(recall)
        known = {root: place for record in records.values() for root, place in record.items()}

        def format_if_new(volume: Volume) -> None:
            if not volume.version.node_id:
                lost = mounts.lost_disk(volume.root, known)
                if lost:
                    raise StartRefused(lost)
                volume.format(self.node_id)

        self._attend(format_if_new, StartRefused)
        roots = [volume.root for volume in self._volumes]
        now = mounts.current(known, roots, [volume.root for volume in self.working])
        if any(records.get(volume) != now for volume in self.working):
            data = mounts.encode(now)
            self._try_each(lambda volume: volume.records.write(mounts.FILE_NAME, data))

    def _read_epoch(self) -> None:
        """Learn the newest epoch; a directory whose own is damaged gets that of the others."""
        epochs: Dict[Volume, int] = {}

        def learn(volume: Volume) -> None:
            try:
                epochs[volume] = volume.records.read_number(layout.EPOCH)
            except CorruptData as error:
                log.warning("epoch.damaged", root=volume.root, problem=error.message)

        self._attend(learn)
        if not epochs:
            raise StartRefused(
                "no directory tells which namenode was obeyed last: the file "
                f"{layout.EPOCH} of {self.working[0].root} is damaged; when the right namenode "
                "leads, remove it"
            )
        self._epoch = max(epochs.values())
        # A directory that is new, or whose own is damaged, gets it at the next occasion.
        self._saved_epoch = min(epochs.get(volume, -1) for volume in self.working)

    def _refuse_clones(self) -> None:
        roots: Dict[str, str] = {}
        for volume in self.working:
            other = roots.setdefault(volume.version.storage_id, volume.root)
            if volume.version.storage_id and other != volume.root:
                raise StartRefused(f"{volume.root} is a copy of {other}; move one of them away")

    def __repr__(self) -> str:
        return f"<Volumes {self._volumes}>"


def _left(rooms: List[_Room]) -> List[_Room]:
    """The rooms without what is promised in them; directories on one disk share it."""
    promised: Dict[int, int] = {}
    for room in rooms:
        promised[room.device] = promised.get(room.device, 0) + room.volume.promised
    return [room._replace(free=max(0, room.free - promised[room.device])) for room in rooms]
