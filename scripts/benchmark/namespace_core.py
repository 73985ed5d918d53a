"""A namenode's core with many files, built by its own operations in a process of its own.

Every file is created, gets a block, is reported by three datanodes and completed, as by a writer;
the edits go into a metadata database, from which real daemons can start. The answers are lines of
JSON: what was measured, with its unit.
"""

import gc
import json
import os
import sys
import time
from itertools import count
from random import Random
from typing import Any, Callable, Iterable, List, Tuple

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.namespace.retries import Op
from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from data_service.protocol.blocks import pack_blocks
from data_service.protocol.nodes import NodeInfo, NodeStats
from metadata_service.edits import Edit, encode
from metadata_service.record.metadata_db import MetadataDatabase
from scripts.benchmark.trial import MIB, memory_of
from tests.support.models.record_leader import append, lead

ROOT = Caller("root", frozenset(), True)
OWNER = Caller("worker", frozenset(), False)
HOME = f"/user/{OWNER.user}"
TOP = f"{HOME}/all"
FLAT, BRANCHES = f"{TOP}/flat", f"{TOP}/branches"
"""Of everything: the one directory that is big, and the tree of those that are not."""

FLAT_SHARE = 2
"""One file of so many is in the big directory; the others are in directories of BRANCH files."""

BRANCH = 1000
PAGE = 1000
BATCH = 1000
KEEP_EDITS = 10_000
REPLICATION = 3
BLOCK_SIZE = 128 * MIB
STATS = NodeStats(1 << 50, 0, 1 << 50, 0, 0, 0)


def directories(files: int) -> Iterable[Tuple[str, int]]:
    """Every directory, and how many files are in it."""
    flat = files // FLAT_SHARE
    yield FLAT, flat
    left = files - flat
    for number in range(-(-left // BRANCH)):
        yield f"{BRANCHES}/{number // 100}/{number % 100}", min(BRANCH, left - number * BRANCH)


class Builder:
    """The core, and the database that its edits go to; the blocks, packed, go to a file."""

    def __init__(self, directory: str, packed_blocks: str) -> None:
        os.makedirs(directory)
        self._packed = open(packed_blocks, "xb")
        self._database = MetadataDatabase.open(directory, KEEP_EDITS)
        self._epoch = lead(self._database, "benchmark")
        blocks = Blocks(self._database.cluster_id, BlockPolicy(), count(1))
        blocks.lead(self._epoch, 0.0)
        self._sessions: List[int] = []
        for number in range(REPLICATION):
            info = NodeInfo(
                f"node-{number}", "first", "127.0.0.1", 1801 + number, "/default-rack",
                self._database.cluster_id,
            )  # fmt: skip
            session = blocks.register(info, 0.0)
            self._sessions.append(session)
            seen = {f"127.0.0.1:{1801 + n}": "" for n in range(number + 1)}
            blocks.monitor.zookeeper_view(seen, 0.0)
            blocks.heartbeat(session, STATS, 0.0, 0)
            blocks.block_report(session, 1, 0, 1, [], 0.0)
        self.state = State(blocks, "root", "supergroup")
        blocks.loaded(0.0)
        blocks.leave_safe_mode(0.0)
        self._random = Random(1)
        self._calls = 0
        self._edits: List[Edit] = []
        self.seconds_to_store = 0.0

    def build(self, files: int) -> None:
        """Make them all."""
        self._do(self.state.mkdir(ROOT, self._op(), HOME, True, 0o755, _wall_ms(), 0.0))
        self._do(self.state.set_owner(ROOT, self._op(), HOME, OWNER.user, OWNER.user))
        for directory, count in directories(files):
            self._do(self.state.mkdir(OWNER, self._op(), directory, True, 0o755, _wall_ms(), 0.0))
            for number in range(count):
                self.write(f"{directory}/part-{number:05d}")
        self._store()

    def write(self, path: str) -> None:
        """A file of one block, as by a client and its datanodes."""
        writing = self.state.writing
        opened = self._do(
            writing.create(OWNER, self._op(), path, False, REPLICATION, BLOCK_SIZE, 0o644, 0.0)
        )
        located = self._do(
            writing.add_block("bench", opened.file_id, 0, (), "", 0.0, self._random)
        )
        block = located.block._replace(length=1 + opened.file_id % BLOCK_SIZE)
        self._packed.write(pack_blocks([block]))
        for session in self._sessions:
            self.state.blocks.block_changes(session, [block], [], [], 0.0)
        self._do(writing.complete(OWNER, self._op(), opened.file_id, [block], 0.0, _wall_ms()))

    def close(self) -> None:
        """Database and file are whole."""
        self._database.close()
        self._packed.close()

    def _op(self) -> Op:
        self._calls += 1
        return Op("bench", self._calls)

    def _do(self, outcome: Outcome) -> Any:
        if outcome.edit is not None:
            self._edits.append(outcome.edit)
            if len(self._edits) >= BATCH:
                self._store()
        return outcome.result

    def _store(self) -> None:
        if self._edits:
            started = time.perf_counter()
            lines = [encode(edit) for edit in self._edits]
            durable = append(self._database, self._epoch, self._edits[0].txid, lines)
            self.state.commits.note_durable(durable)
            self._edits.clear()
            self.seconds_to_store += time.perf_counter() - started


def tell(name: str, value: float, unit: str) -> None:
    """One figure, for the process that waits for it."""
    print(json.dumps([name, value, unit]), flush=True)


def timed(deed: Callable[[], object]) -> float:
    """Milliseconds that a deed takes."""
    started = time.perf_counter()
    deed()
    return 1000 * (time.perf_counter() - started)


def list_all(state: State, path: str) -> None:
    """Every page of a listing."""
    after, more = "", True
    while more:
        rows, more = state.reading.list(ROOT, path, after, PAGE).result
        after = rows[-1].name


def main(directory: str, packed_blocks: str, files: int) -> None:
    """Build, and measure the core alone."""
    builder = Builder(directory, packed_blocks)
    state = builder.state
    before = resident()
    started = time.perf_counter()
    builder.build(files)
    seconds = time.perf_counter() - started - builder.seconds_to_store
    tell("build through the core", files / seconds, "files/s")
    gc.collect()
    tell("memory a file, with three replicas", (resident() - before) / files, "bytes")
    flat = files // FLAT_SHARE
    tell(f"list a directory of {flat:,}", timed(lambda: list_all(state, FLAT)), "ms")
    tell("count all", timed(lambda: state.reading.content_summary(ROOT, TOP)), "ms")
    ops = [Op("bench", 10**9 + number) for number in range(3)]
    tell(
        "rename the directory of all",
        timed(lambda: state.rename(ROOT, ops[0], TOP, "/moved", 1, 0.0)), "ms",
    )  # fmt: skip
    tell(
        "set a quota on all", timed(lambda: state.set_quota(ROOT, ops[1], "/moved", 10**9, -1)),
        "ms",
    )  # fmt: skip
    tell("delete all", timed(lambda: state.delete(ROOT, ops[2], "/moved", True, 2)), "ms")
    builder.close()


def resident() -> float:
    """Bytes of memory that this process has."""
    return memory_of(os.getpid())[0] * MIB


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
