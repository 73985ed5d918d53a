"""One run: a cluster under load, rounds of faults, and after each of them the reckoning."""

import time
from pathlib import Path
from random import Random
from typing import Callable, Dict, List, Optional

from data_service.filesystem import FileSystem
from data_service.protocol.health import FsckRow
from tests.chaos import calls, evidence, invariants, survey
from tests.chaos.calls import LIMITED, REPLICATION
from tests.chaos.contents import Contents
from tests.chaos.history import History
from tests.chaos.invariants import StoredFile, Vitals
from tests.chaos.load import Load
from tests.chaos.model import State
from tests.chaos.quorum_deeds import QuorumThrasher, judge_silences
from tests.chaos.reckoning import Facts, Reckoner, Stretch
from tests.chaos.shapes import SINGLE, Shape
from tests.chaos.thrasher import DEAD_SECONDS, Thrasher
from tests.simulation.plain_tree import DIRECTORY
from tests.support.clusters.cluster import Cluster
from tests.support.disks.every_replica import replicas_on
from tests.support.disks.small_disk import CannotMount, SmallDisk
from zookeeper.fabric.errors import DfsError

BLOCK = 64 * 1024
SIZES = [0, 1, 17, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 2 * BLOCK + 777, 4000]
REST_SECONDS = 300.0
"""So long after the last fault everything must be whole again, however much else the machine does;
left alone it takes some seconds."""

ROUNDS_A_COLD_RESTART = 10
"""So often everybody is killed at once; with their lives end the lines kept of their logs."""

SETTINGS: Dict[str, Dict[str, object]] = {
    "name_node": {
        "block_size": BLOCK, "replication_factor": REPLICATION, "stale_seconds": 1.5,
        "dead_seconds": DEAD_SECONDS, "lease_soft_seconds": 1, "lease_hard_seconds": 2,
        "complete_timeout_seconds": 5, "replication_timeout_seconds": 3,
    },
    "metadata": {"keep_edits": 20_000},
    "data_node": {
        "scan_period_seconds": 3, "scan_bytes_per_second": "64M",
        "trash_seconds": 60,  # What is kept for a day fills a small disk within minutes here.
    },
    "client": {"retry_seconds": 8},
    "network": {"call_timeout_seconds": 3, "stall_timeout_seconds": 2},
}  # fmt: skip


class Violation(AssertionError):
    """An invariant does not hold."""


class Trial:
    """A cluster that is going to have a hard time. Use it in a `with`; `say` is told of progress.

    Everything random is drawn from the seed; what comes of it also depends on the machine.
    """

    def __init__(
        self, folder: Path, seed: int, say: Callable[[str], object], shape: Shape = SINGLE
    ) -> None:
        self._shape = shape
        self.history = History()
        self._say = say
        self._random = Random(f"{seed} trial")
        self._contents = Contents(SIZES)
        self.cluster = Cluster(
            folder, shape.data_nodes, name_nodes=shape.name_nodes, members=shape.members,
            zookeepers=shape.zookeepers, directories=shape.directories, links=shape.links,
            crossings=shape.crossings, **self._settings(),
        )  # fmt: skip
        self._small_disks = self._mount()
        self.load = Load(self.cluster, self.history, self._contents, f"{seed} load")
        self.thrasher = self._thrasher(Random(f"{seed} thrasher"))
        self._reckoner = Reckoner(self._contents)
        self._before: State = {}
        self._after: Optional[State] = None
        self._facts: Optional[Facts] = None
        self._last_edit = 0
        self._vitals: Dict[str, Vitals] = {}

    def _settings(self) -> Dict[str, Dict[str, object]]:
        """SETTINGS; in every other trial no reader is on the machine of a datanode, so that blocks
        have to take the links that are cut."""
        here = self._random.random() < 0.5
        return {**SETTINGS, "client": {**SETTINGS["client"], "short_circuit": here}}

    def _thrasher(self, random: Random) -> Thrasher:
        shape = self._shape
        parts = (
            self.cluster, shape.breakable, self._small_disks, self.load, self.history, random
        )  # fmt: skip
        return QuorumThrasher(shape, *parts) if shape.members > 1 else Thrasher(*parts)

    def __enter__(self) -> "Trial":
        try:
            self.cluster.start()
            with self.cluster.file_system() as file_system:
                self._before = calls.furnish(file_system)
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

    @property
    def undecided(self) -> List[str]:
        """What took too long to judge."""
        return self._reckoner.undecided

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
            if number == rounds or not number % ROUNDS_A_COLD_RESTART:
                self.thrasher.kill_all()
                self.thrasher.start_all()
                self._reckon()
                self._say("after a cold restart all is as it was")

    def say_counts(self) -> None:
        """Tell how often each kind of call came to what: a load that is none proves nothing."""
        for kind in sorted({kind for kind, _ in self.history.counts}):
            outcomes = sorted((o, n) for (k, o), n in self.history.counts.items() if k == kind)
            self._say(f"  {kind}: " + ", ".join(f"{count} {word}" for word, count in outcomes))

    def keep_evidence(self, folder: Path, verdict: str) -> None:
        """Write what led to a verdict into a folder, see `evidence.py`; the cluster still runs."""
        stretch = Stretch(self._before, self.history.calls, self.history.notes, self._after)
        evidence.save(folder, verdict, self._contents, stretch, self._facts)
        survey.copy_record(self.cluster, folder / evidence.RECORD)

    # The reckoning.

    def _reckon(self) -> None:
        """All that must hold once the faults have ended and everybody has come to rest."""
        self._after = self._facts = None
        with self.cluster.file_system() as file_system:
            self._rest(file_system)
        stretch = Stretch(self._before, self.history.calls, self.history.notes, self._after)
        known = len(self.undecided)
        self._demand(self._reckoner.judge_stretch(stretch))
        if len(self.undecided) > known:
            folder = self.cluster.folder / f"undecided-{len(self.undecided)}"
            self.keep_evidence(folder, "\n".join(self.undecided[known:]))
        assert self._after is not None and self._facts is not None
        self._demand(self._reckoner.judge_facts(self._facts))
        if isinstance(self.thrasher, QuorumThrasher):
            self._demand(judge_silences(stretch.calls, self.thrasher.silences))
            self.thrasher.silences.clear()
        self._demand([f"I7: a client broke: {error!r}" for error in self.load.defects])
        now = survey.vitals(self.cluster)
        self._vitals = self._vitals or invariants.most_of_a_kind(now)
        self._demand(invariants.judge_vitals(self._vitals, now))
        self._go_on()

    def _go_on(self) -> None:
        """What was judged is not needed any more: a trial may last for hours."""
        assert self._after is not None and self._facts is not None
        self._before = self._after
        self._last_edit = self._facts.edits[-1].txid if self._facts.edits else self._last_edit
        self.history.forget()
        self.cluster.warnings.clear()
        self._contents.forget_all_but({n[1] for n in self._before.values() if n[0] == "f"})

    def _rest(self, file_system: FileSystem) -> None:
        """Wait until all replicas are where they should be, and nothing else is."""
        deadline = time.monotonic() + REST_SECONDS
        while True:
            try:
                unrest = self._look(file_system)
            except DfsError as error:
                unrest = [f"I6: {error.message}"]
            if not unrest:
                return
            if time.monotonic() > deadline:
                unrest.insert(0, f"not at rest {REST_SECONDS:g} s after the last fault")
                self._demand(unrest)
            time.sleep(0.3)

    def _look(self, file_system: FileSystem) -> List[str]:
        """What is not as it should be yet; learns the state and the facts."""
        unrest = survey.unrest(self.cluster, file_system)
        if unrest:
            return [f"I6: {unrest}"]
        if self._shape.members > 1:
            unrest = survey.availability_unrest(self.cluster, file_system)
            if unrest:
                return [f"I8: {unrest}"]
        state = calls.furniture(file_system)
        files: Dict[str, StoredFile] = {}
        rows = list(file_system.fsck("/"))
        for row in rows:
            if row.status.is_directory:
                state[row.path] = DIRECTORY
                continue
            data = calls.read(file_system, row.path)
            key = self._contents.key_of(data)
            state[row.path] = ("f", key, row.status.replication, row.status.mode)
            files[row.path] = _stored_file(row, data)
        state.pop("/")
        usage = file_system.quota_usage(LIMITED.path)
        self._after = state
        self._facts = Facts(
            state, files,
            {role: replicas_on(self.cluster, role) for role in self.cluster.data_nodes},
            survey.told_names(rows), survey.recorded_names(self.cluster),
            tuple(survey.recorded_edits(self.cluster, self._last_edit)),
            (usage.names, usage.space),
        )  # fmt: skip
        return invariants.judge_disks(files, self._facts.disks)

    def _read_with_some_dead(self) -> None:
        """I1: with all but one replica out of reach, at once, every byte is still there."""
        dead = self._random.sample(self.cluster.data_nodes, REPLICATION - 1)
        self.thrasher.kill_some(dead)
        with self.cluster.file_system() as file_system:
            for path, node in sorted(self._before.items()):
                if node[0] == "f":
                    found = self._contents.key_of(self._read_patiently(file_system, path))
                    if found != node[1]:
                        raise Violation(f"I1: {path} without {dead}: {found}, not {node[1]}")
        self.thrasher.start_all()

    def _read_patiently(self, file_system: FileSystem, path: str) -> bytes:
        """A machine that has much to do may let a read fail, but not all of them."""
        deadline = time.monotonic() + REST_SECONDS
        while True:
            try:
                return calls.read(file_system, path)
            except DfsError as error:
                if time.monotonic() > deadline:
                    raise Violation(f"I1: {path} cannot be read: {error.message}") from None
                self.history.note(f"{path} could not be read: {error.message}")
                time.sleep(0.3)

    def _demand(self, complaints: List[str]) -> None:
        if complaints:
            more = f"\n… and {len(complaints) - 5} more" if len(complaints) > 5 else ""
            raise Violation("\n".join(complaints[:5]) + more)

    def _summary(self) -> str:
        outcomes: Dict[str, int] = {}
        for (_, outcome), count in self.history.counts.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        files = sum(node[0] == "f" for node in self._before.values())
        faults = f"{self.thrasher.deeds_done} faults ({self.thrasher.deeds_failed} not possible)"
        undecided = f"; {len(self.undecided)} stretches undecided" if self.undecided else ""
        return f"{faults}, calls: {counts}; {files} files are whole{undecided}"

    def _mount(self) -> Dict[str, SmallDisk]:
        disks: Dict[str, SmallDisk] = {}
        try:
            for role, size in self._shape.small_disks.items():
                disks[role] = SmallDisk(self.cluster.directory(role), size)
        except CannotMount as error:
            self._say(f"no disk will be full, because none can be mounted: {error}")
        return disks


def _stored_file(row: FsckRow, content: bytes) -> StoredFile:
    blocks = tuple((one.block.name, one.block.length, one.health.live) for one in row.blocks)
    return StoredFile.of(row.status.inode_id, row.status.replication, blocks, content)
