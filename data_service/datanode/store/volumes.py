"""The directories of one datanode, as one: whose they are, and what they remember.

A directory that fails, at start or later, costs its replicas only, as long as another one works.
When none works any more, the datanode stays up without room.
"""

import threading
import time
from contextlib import suppress
from functools import partial
from typing import Callable, Dict, List, Sequence, Tuple, Type, TypeVar

from data_service.datanode.store import identities, layout, mounts
from data_service.datanode.store.disk_threads import DiskCall, DiskThread
from data_service.datanode.store.health import SILENT_SECONDS
from data_service.datanode.store.volume import Volume
from data_service.datanode.store.volume_choice import VolumeChoice
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import Busy, CorruptData, DfsError, DiskFailed, DiskFull, StartRefused
from zookeeper.fabric.figures import GAUGE, Family, tagged

log = logs.get("volumes")

RECORD_SECONDS = 5.0
"""How long a small record may take in all directories together, while its writer waits."""

WORKING, SILENT, FAILED = 0, 1, 2
"""How a directory is, in figures."""

DIRECTORY = "directory"
"""The tag that names one."""

_LOOK_SECONDS = 0.5

_Result = TypeVar("_Result")


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
        self.choice = VolumeChoice(lambda: self.working)
        # Whoever follows a namenode may learn of a cluster or an epoch; the newest is written last.
        self._learning = threading.Lock()
        self._epoch = self._saved_epoch = 0
        self.node_id = ""
        self.cluster_id = ""

    def open(self) -> None:
        """Lock every directory, give new ones the identity of the others; StartRefused.

        A directory that cannot be read, belongs to somebody else, or lies where its disk should
        be mounted, has failed; the others are used. Only one that another process has refuses the
        start: else two datanodes that start at once could share the directories of one.
        """
        self.for_each(lambda volume: volume.directory.claim())
        # All identities are read before a new directory gets one, wherever it stands in the list.
        self.for_each(Volume.identify, StartRefused)
        self.node_id, self.cluster_id = identities.choose(self._volumes)
        identities.refuse_clones(self.working)
        self._welcome_new()
        if not self.working:
            raise StartRefused("; ".join(volume.failed for volume in self._volumes))
        self._read_epoch()

    def close(self) -> None:
        """Release all directories."""
        for volume in self._volumes:
            volume.directory.close()

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
        return sum(v.health.is_in_trouble or v.root in self.choice.silent for v in self._volumes)

    def figures(self, replicas_in: Callable[[str], int]) -> Tuple[Family, ...]:
        """How each directory is, what is in it, and the room of its disk; a silent one is not
        measured."""
        roots = [volume.root for volume in self._volumes]
        states: Dict[str, float] = {}
        total: Dict[str, float] = {}
        left: Dict[str, float] = {}
        for volume in self._volumes:
            root, states[volume.root] = volume.root, FAILED if volume.failed else SILENT
            if not volume.health.is_in_trouble and root not in self.choice.silent:
                with suppress(DiskFailed, Busy):
                    _, total[root], left[root] = volume.space.measured()
                    states[root] = WORKING
        return (
            tagged(GAUGE, "pyhdfs_directory_state",
                   "A directory; 0: it works, 1: its disk does not answer, 2: it failed.",
                   DIRECTORY, states),
            tagged(GAUGE, "pyhdfs_directory_capacity_bytes", "Size of the disk of a directory.",
                   DIRECTORY, total),
            tagged(GAUGE, "pyhdfs_directory_remaining_bytes",
                   "Room that is left in a directory.", DIRECTORY, left),
            tagged(GAUGE, "pyhdfs_directory_blocks", "Replicas in a directory.",
                   DIRECTORY, {root: float(replicas_in(root)) for root in roots}),
        )  # fmt: skip

    def for_each(self, action: Callable[[Volume], None], *refusals: Type[DfsError]) -> None:
        """Do what every directory needs at start; one that cannot do it has failed.

        All do it at once, for as long as their disks answer: one that hangs delays nobody for
        longer than SILENT_SECONDS. Errors of the kinds `refusals` mean the same as trouble with
        a disk.
        """
        told: Tuple[Type[DfsError], ...] = (DiskFailed, DiskFull, Busy, *refusals)
        sent = [(volume, volume.maintenance.send(partial(action, volume)))
                for volume in self.working]
        for volume, call in sent:
            try:
                while not call.over and not volume.health.is_silent:
                    call.wait(_LOOK_SECONDS)
                call.result(time.monotonic())
            except told as error:
                volume.fail(error.message)

    # What the directories remember.

    def join_cluster(self, cluster_id: str) -> None:
        """Record which cluster this datanode and every one of its directories belongs to."""
        with self._learning:
            if self.cluster_id not in ("", cluster_id):
                raise StartRefused(
                    f"this datanode belongs to cluster {self.cluster_id}, not to {cluster_id}"
                )
            self._try_each(lambda volume: volume.directory.join_cluster(cluster_id))
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
        with self._learning:
            self._epoch = known = max(self._epoch, epoch)
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

    def _welcome_new(self) -> None:
        """Format new directories, unless they are places where a disk should be mounted."""
        records: Dict[Volume, Dict[str, str]] = {}

        def recall(volume: Volume) -> None:
            try:
                records[volume] = mounts.decode(volume.records.read(mounts.FILE_NAME))
            except CorruptData as error:
                log.warning("record.damaged", root=volume.root, problem=error.message)

        self.for_each(recall)
        known = {root: place for record in records.values() for root, place in record.items()}

        def format_if_new(volume: Volume) -> None:
            if not volume.directory.version.node_id:
                lost = mounts.lost_disk(volume.root, known)
                if lost:
                    raise StartRefused(lost)
                volume.directory.format(self.node_id)

        self.for_each(format_if_new, StartRefused)
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

        self.for_each(learn)
        if not epochs:
            raise StartRefused(
                "no directory tells which namenode was obeyed last: the file "
                f"{layout.EPOCH} of {self.working[0].root} is damaged; when the right namenode "
                "leads, remove it"
            )
        self._epoch = max(epochs.values())
        # A directory that is new, or whose own is damaged, gets it at the next occasion.
        self._saved_epoch = min(epochs.get(volume, -1) for volume in self.working)

    def __repr__(self) -> str:
        return f"<Volumes {self._volumes}>"

