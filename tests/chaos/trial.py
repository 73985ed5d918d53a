"""One run: a cluster under load, rounds of faults, and after each of them the reckoning."""

import time
from pathlib import Path
from random import Random
from typing import Callable, Dict, List, Tuple

from data_service.filesystem import FileSystem
from data_service.protocol.messages import FsckRow
from tests.chaos import invariants, survey
from tests.chaos.explanation import Unexplained, explain
from tests.chaos.history import Contents, History
from tests.chaos.invariants import StoredFile, Vitals
from tests.chaos.load import PLAIN, REPLICATION, ROOMS, TREES, Load, read
from tests.chaos.thrasher import DEAD_SECONDS, Thrasher
from tests.simulation.plain_tree import DIRECTORY, Tree
from tests.support.cluster import EVERYBODY, Cluster, Link
from tests.support.disks import replicas_on
from tests.support.small_disk import CannotMount, SmallDisk
from zookeeper.fabric.errors import DfsError, InternalError

DATA_NODES = 5
BLOCK = 64 * 1024
SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 2 * BLOCK + 777]
SMALL_DISK_BYTES = 6 << 20
REST_SECONDS = 60.0
"""T of the list of invariants: so long after the last fault everything must be whole again."""

LINKS: List[Link] = [
    ("client", "name_node"), ("name_node", "metadata"), ("name_node", "zookeeper"),
    ("data_node_1", "name_node"), ("data_node_2", "zookeeper"), (EVERYBODY, "data_node_0"),
    (EVERYBODY, "data_node_4"),
]  # fmt: skip

SETTINGS: Dict[str, Dict[str, object]] = {
    "name_node": {
        "block_size": BLOCK, "replication_factor": REPLICATION, "stale_seconds": 1.5,
        "dead_seconds": DEAD_SECONDS, "lease_soft_seconds": 1, "lease_hard_seconds": 2,
        "complete_timeout_seconds": 5, "replication_timeout_seconds": 3,
    },
    "data_node": {"scan_period_seconds": 3, "scan_bytes_per_second": "64M"},
    "client": {"retry_seconds": 8},
    "network": {"call_timeout_seconds": 3, "stall_timeout_seconds": 2},
}  # fmt: skip


class Violation(AssertionError):
    """An invariant does not hold."""


class Trial:
    """A cluster that is going to have a hard time. Use it in a `with`; `say` is told of progress.

    Everything random is drawn from the seed; what comes of it also depends on the machine.
    """

    def __init__(self, folder: Path, seed: int, say: Callable[[str], object]) -> None:
        self.history = History()
        self._say = say
        self._random = Random(f"{seed} trial")
        self._contents = Contents(SIZES)
        directories = {"data_node_3": 2}
        self.cluster = Cluster(
            folder, DATA_NODES, name_nodes=2, directories=directories, links=LINKS, **SETTINGS
        )
        self._small_disks = self._mount("data_node_2")
        self.load = Load(self.cluster, self.history, self._contents, f"{seed} load")
        self.thrasher = Thrasher(
            self.cluster, LINKS, self._small_disks, self.load, self.history,
            Random(f"{seed} thrasher"),
        )  # fmt: skip
        self._trees: Tree = {room: DIRECTORY for room in ROOMS}
        self._explained = 0
        self._vitals: Dict[str, Vitals] = {}

    def __enter__(self) -> "Trial":
        try:
            self.cluster.start()
            with self.cluster.file_system() as file_system:
                for room in ROOMS:
                    file_system.mkdir(room)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.cluster.__exit__(*exception)  # type: ignore[arg-type]
        finally:
            for disk in self._small_disks.values():
                disk.close()

    def run(self, seconds: float, rounds: int) -> None:
        """Rounds of faults, each with its reckoning, and a cold restart at the end; Violation."""
        for number in range(1, rounds + 1):
            sizes, began = survey.log_sizes(self.cluster), time.monotonic()
            pause = self._random.choice((0.3, 1.0, 3.0))
            self.load.start()
            try:
                self.thrasher.run(seconds / rounds, pause)
            finally:
                self.load.stop()
            self._demand(invariants.judge_living(self.thrasher.ended_by_themselves()))
            self._reckon()
            grown = {
                role: size - sizes[role]
                for role, size in survey.log_sizes(self.cluster).items()
            }
            self._demand(invariants.judge_logs(grown, time.monotonic() - began))
            self._read_with_some_dead()
            self._say(f"round {number} of {rounds}: {self._summary()}")
        self.thrasher.kill_all()
        self.thrasher.start_all()
        self._reckon()
        self._say("after a cold restart all is as it was")

    # The reckoning.

    def _reckon(self) -> None:
        """All that must hold once the faults have ended and everybody has come to rest."""
        with self.cluster.file_system() as file_system:
            tree = self._rest(file_system)
            rows = list(file_system.fsck("/"))
        self._explain(tree)
        told, recorded = survey.told_names(rows), survey.recorded_names(self.cluster)
        self._demand(invariants.judge_names(told, recorded))
        self._demand(invariants.judge_record(survey.recorded_edits(self.cluster)))
        self._demand([f"I7: a client broke: {error!r}" for error in self.load.defects])
        now = survey.vitals(self.cluster)
        self._vitals = self._vitals or now
        self._demand(invariants.judge_vitals(self._vitals, now))

    def _rest(self, file_system: FileSystem) -> Tree:
        """Wait until all replicas are where they should be, and nothing else is; the tree then."""
        deadline = time.monotonic() + REST_SECONDS
        while True:
            try:
                unrest, tree = self._look(file_system)
            except DfsError as error:
                unrest = [f"I6: {error.message}"]
            if not unrest:
                return tree
            if time.monotonic() > deadline:
                unrest.insert(0, f"not at rest {REST_SECONDS:g} s after the last fault")
                self._demand(unrest)
            time.sleep(0.3)

    def _look(self, file_system: FileSystem) -> Tuple[List[str], Tree]:
        unrest = survey.unrest(self.cluster, file_system)
        if unrest:
            return [f"I6: {unrest}"], {}
        rows = list(file_system.fsck("/"))
        tree: Tree = {}
        files: Dict[str, StoredFile] = {}
        for row in rows:
            if row.status.is_directory:
                tree[row.path] = DIRECTORY
                continue
            number = self._contents.number_of(read(file_system, row.path))
            if number < 0:
                raise Violation(f"I5: {row.path} has bytes that nobody wrote")
            tree[row.path] = ("f", number, row.status.replication)
            files[row.path] = _stored_file(row, self._contents.data(number))
        tree.pop("/")
        disks = {role: replicas_on(self.cluster, role) for role in self.cluster.data_nodes}
        return invariants.judge_disks(files, disks), tree

    def _explain(self, tree: Tree) -> None:
        """One order of events must explain all that clients were told since the last time."""
        calls = self.history.calls[self._explained :]
        self._explained += len(calls)
        broken = [str(call) for call in calls if call.result is InternalError]
        self._demand([f"I7: a defect was met: {call}" for call in broken])
        for room in (*TREES, PLAIN):
            own = [call for call in calls if _is_in(call.args[0], room)]
            try:
                explain(_below(self._trees, room), own, _below(tree, room))
            except Unexplained as error:
                raise Violation(f"I1-I5, I9, I10: in {room}: {error}") from None
        self._trees = tree

    def _read_with_some_dead(self) -> None:
        """I1: with all but one replica out of reach, at once, every byte is still there."""
        dead = self._random.sample(self.cluster.data_nodes, REPLICATION - 1)
        self.thrasher.kill_some(dead)
        with self.cluster.file_system() as file_system:
            for path, node in sorted(self._trees.items()):
                if node != DIRECTORY:
                    found = self._contents.number_of(read(file_system, path))
                    if found != node[1]:
                        raise Violation(f"I1: {path} without {dead}: {found}, not {node[1]}")
        self.thrasher.start_all()

    def _demand(self, complaints: List[str]) -> None:
        if complaints:
            more = f"\n… and {len(complaints) - 5} more" if len(complaints) > 5 else ""
            raise Violation("\n".join(complaints[:5]) + more)

    def _summary(self) -> str:
        outcomes = [call.outcome for call in self.history.calls]
        counts = ", ".join(f"{outcomes.count(o)} {o}" for o in sorted(set(outcomes)))
        files = sum(node != DIRECTORY for node in self._trees.values())
        return f"{self.thrasher.deeds_done} faults, calls: {counts}; {files} files are whole"

    def _mount(self, role: str) -> Dict[str, SmallDisk]:
        try:
            return {role: SmallDisk(self.cluster.directory(role), SMALL_DISK_BYTES)}
        except CannotMount as error:
            self._say(f"no disk will be full, because none can be mounted: {error}")
            return {}


def _stored_file(row: FsckRow, content: bytes) -> StoredFile:
    blocks = tuple((one.block.name, one.block.length, one.health.live) for one in row.blocks)
    return StoredFile(row.status.inode_id, row.status.replication, blocks, content)


def _is_in(path: str, room: str) -> bool:
    return path == room or path.startswith(room + "/")


def _below(tree: Tree, room: str) -> Tree:
    return {path: node for path, node in tree.items() if _is_in(path, room)}
