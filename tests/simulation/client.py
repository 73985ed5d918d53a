"""A model client: the operations of a user, repeated and resumed as the real library does it."""

from random import Random
from typing import Any, Callable, Dict, List, Optional, Set, Tuple, Type

from data_service.protocol.blocks import Block
from data_service.protocol.files import LocatedBlock, Tail
from tests.simulation.history import OK, REFUSED, UNKNOWN, History, Record
from tests.simulation.name_node_calls import BLOCK_SIZE
from tests.simulation.network import Network
from tests.simulation.world import Process, Script
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    CorruptData,
    DfsError,
    LeaseExpired,
    NotEnoughReplicas,
    NotLeader,
    SafeMode,
    Unavailable,
)

CALL_SECONDS = 2.0
COMPLETE_SECONDS = 5.0
RETRY_SECONDS = 9.0
RENEW_SECONDS = 1.5
PIPELINES = 4
NAMES = ("/a", "/b", "/c")

Errors = Tuple[Type[DfsError], ...]
OUT_OF_REACH: Errors = (Unavailable, NotLeader, Busy)
NOT_NOW: Errors = (*OUT_OF_REACH, SafeMode)


class Habits:
    """What the clients of a run like to do; every run likes other things."""

    def __init__(self, random: Random) -> None:
        self.pause = random.choice((0.2, 1.0))
        self.fickle = random.choice((0.0, 0.5, 1.0))
        # Put, mkdir, delete, rename, read, look, set the replication, append.
        self.weights = [random.choice((4, 6))] + [random.choice((0, 1, 2, 4)) for _ in range(5)]
        self.weights += [random.choice((1, 3, 6)), random.choice((0, 1, 3))]
        self.flushes = random.choice((0.0, 0.0, 0.3))


class WritingFile:
    """A file on its way: what a client must know to go on with another namenode.

    `tail` is where new blocks go in a file that readers see, None until it is one.
    """

    def __init__(self, path: str, overwrite: bool, replication: int) -> None:
        self.path = path
        self.overwrite = overwrite
        self.replication = replication
        self.replaces = 0
        self.file_id = 0
        self.tail: Optional[Tail] = None
        self.blocks: Dict[int, Block] = {}
        self.suspects: Set[str] = set()


class Client(Process):
    """A user who does one thing after the other; a crash makes another client of it."""

    def __init__(
        self, network: Network, history: History, name: str, namenodes: List[str],
        habits: Habits,
    ) -> None:  # fmt: skip
        super().__init__(network.world, name)
        self._network = network
        self._history = history
        self._namenodes = namenodes
        self._habits = habits.weights
        self._pause = habits.pause
        self._flushes = habits.flushes
        self._fickle = habits.fickle
        self.wanted = True
        self.idle = True
        self._forget_all()

    def _forget_all(self) -> None:
        self._id = f"{self.name}.{self.generation}"
        self._calls = 0
        self._presumed = 0
        self._writing = 0
        self._written = NAMES[0]

    def on_start(self) -> None:
        """A new client."""
        self._forget_all()
        self.idle = True
        self.spawn(self._live())
        self.spawn(self._renew())

    def _live(self) -> Script:
        deeds: List[Callable[[], Script]] = [
            self._put, self._mkdir, self._delete, self._rename, self._read, self._look,
            self._set_replication, self._append,
        ]  # fmt: skip
        random = self.world.random
        while self.wanted:
            yield self.world.sleep(random.random() * self._pause)
            self.idle = False
            if self.world.chance(0.3):
                # Another command, which does not know who answered the last one.
                self._presumed = random.randrange(len(self._namenodes))
            yield from random.choices(deeds, self._habits)[0]()
            self.idle = True

    def _path(self) -> str:
        random = self.world.random
        path = random.choice(NAMES)
        return path + random.choice(NAMES) if random.random() < 0.4 else path

    # Short operations.

    def make(self, path: str) -> Script:
        """Make a directory, and the ones on the way."""
        return self._ask("mkdir", path, True)

    def look(self, path: str) -> Script:
        """Ask what is there."""
        return self._note(self._history.begin("stat", path), self._stat)

    def _mkdir(self) -> Script:
        return self._ask("mkdir", self._path(), self.world.chance(0.7))

    def _delete(self) -> Script:
        return self._ask("delete", self._path())

    def _rename(self) -> Script:
        return self._ask("rename", self._path(), self._path())

    def _set_replication(self) -> Script:
        path = self._written if self.world.chance(0.8) else self._path()
        return self._ask("set_replication", path, self.world.random.choice((2, 3)))

    def _look(self) -> Script:
        if self.world.chance(0.5):
            return self.look(self._path())
        return self._note(self._history.begin("list", "/"), self._list)

    def _ask(self, method: str, *args: Any) -> Script:
        """One mutation under one operation id, however often it is sent."""
        op = self._operation()
        record = self._history.begin(method, *args, op=op)
        return self._note(record, lambda record: self._repeat(
            OUT_OF_REACH, record, method, op, *args))

    def _stat(self, record: Record) -> Script:
        status = yield from self._repeat(OUT_OF_REACH, record, "stat", record.args[0])
        return status.kind

    def _list(self, record: Record) -> Script:
        rows, _ = yield from self._repeat(OUT_OF_REACH, record, "list", "/")
        return [row.name for row in rows]

    def _note(self, record: Record, deed: Callable[[Record], Script]) -> Script:
        """Do it and record what came of it."""
        try:
            result = yield from deed(record)
        except NOT_NOW:
            self._history.end(record, UNKNOWN)
        except (NotEnoughReplicas, BlockMissing) as error:
            self.world.note(f"{self.name} fails: {error.message}")
            self._history.end(record, UNKNOWN)
        except DfsError as error:
            self._history.end(record, REFUSED, type(error))
        else:
            self._history.end(record, OK, result)
        self.world.note(f"{self._id} {record}")

    # Reading.

    def _read(self) -> Script:
        return self._note(self._history.begin("read", self._path()), self._fetch)

    def _fetch(self, record: Record) -> Script:
        """(inode number, the content of each block)."""
        found = yield from self._repeat(OUT_OF_REACH, record, "block_locations", record.args[0])
        contents = []
        for located in found.blocks:
            contents.append((yield from self._fetch_block(located)))
        return found.status.inode_id, tuple(contents)

    def _fetch_block(self, located: LocatedBlock) -> Script:
        for target in located.targets:
            try:
                return (yield self._network.call(
                    self, target.node_id, "read_block", located.block, timeout=CALL_SECONDS))
            except CorruptData:
                yield from self._report_bad(located.block, target.node_id)
            except (Unavailable, BlockMissing) as error:
                self.world.note(f"{self.name} reads elsewhere: {error.code}")
        raise BlockMissing(f"no replica of {located.block.name} could be read")

    def _report_bad(self, block: Block, node_id: str) -> Script:
        try:
            yield from self._call("report_bad_block", block, node_id)
        except DfsError as error:
            self.world.note(f"{self.name} could not report {block.name}: {error.code}")

    # Writing.

    def _put(self) -> Script:
        random = self.world.random
        file = WritingFile(self._path(), random.random() < 0.6, random.choice((1, 2, 3, 3)))
        yield from self._write(file, random.choice((0, 1, 1, 2, 3)), "create", file.path,
                               file.overwrite, file.replication)

    def _append(self) -> Script:
        path = self._written if self.world.chance(0.8) else self._path()
        count = self.world.random.choice((0, 1, 1, 2))
        yield from self._write(WritingFile(path, False, 0), count, "append", path)

    def _write(self, file: WritingFile, count: int, method: str, *args: Any) -> Script:
        """Open the file by a call, write so many blocks, and complete it."""
        self._writing += 1
        self._history.promised.update(file.path.split("/"))
        try:
            opened = yield from self._repeat(
                OUT_OF_REACH, None, method, self._operation(), *args)
            file.file_id, file.tail = opened.file_id, None
            file.replaces = opened.replaces
            if method == "append":
                file.tail = Tail(*opened[3:6])
            yield from self._write_blocks(file, opened.position, count)
            yield from self._complete(file)
        except DfsError as error:
            self.world.note(f"{self._id} cannot write {file.path}: {error!r}")
            yield from self._abandon(file)
        finally:
            self._writing -= 1
        if self.world.chance(0.3):
            yield from self._come_late(file)

    def _write_blocks(self, file: WritingFile, first: int, count: int) -> Script:
        random = self.world.random
        for position in range(first, first + count):
            last = position == first + count - 1
            flushed = not last and self.world.chance(self._flushes)
            short = last or flushed
            length = random.randint(1, BLOCK_SIZE) if short else BLOCK_SIZE
            content = f"{self._id}/{file.file_id}/{position}"
            yield from self._write_block(file, position, content, length)
            yield self.world.sleep(random.random() * random.choice((0.1, 0.1, 3.0)))
            if flushed:
                yield from self._flush(file)

    def _flush(self, file: WritingFile) -> Script:
        """Make visible what there is; a writer that does not know whether it did gives up."""
        record = yield from self._publish(file, "flush")
        if record.outcome != OK:
            raise LeaseExpired("the flush failed")
        before = file.tail or Tail(0, 0, 0)
        end = before.length + sum(block.length for block in file.blocks.values())
        file.tail = Tail(before.position + len(file.blocks), end, end)
        file.blocks.clear()

    def _publish(self, file: WritingFile, method: str) -> Script:
        """Complete or flush; the record of it."""
        op = self._operation()
        blocks = tuple(block for _, block in sorted(file.blocks.items()))
        self._history.presented[op] = tuple(block.block_id for block in blocks)
        kind = "complete" if file.tail is None else "append"
        record = self._history.begin(kind, file.path, op=op)
        yield from self._note(record, lambda record: self._held(
            file, record, method, op, file.file_id, blocks))
        return record

    def _complete(self, file: WritingFile) -> Script:
        record = yield from self._publish(file, "complete")
        if record.outcome != OK:
            yield from self._abandon(file)
            return
        self._written = file.path
        if file.replication == 3 and self.world.chance(self._fickle):
            yield self.world.sleep(self.world.random.random() * 3.0)
            yield from self._ask("set_replication", file.path, 2)

    def _come_late(self, file: WritingFile) -> Script:
        """An old request to resume arrives when the writing has ended; nobody wants it any more."""
        try:
            yield from self._resume(file)
        except DfsError as error:
            self.world.note(f"{self._id} comes late: {error.code}")

    def _abandon(self, file: WritingFile) -> Script:
        if self.world.chance(0.2):
            return  # Its lease ends by itself.
        try:
            yield from self._call("abandon_file", self._id, file.file_id)
        except DfsError as error:
            self.world.note(f"{self._id} could not abandon {file.path}: {error.code}")

    def _write_block(
        self, file: WritingFile, position: int, content: str, length: int
    ) -> Script:
        for _ in range(PIPELINES):
            located = yield from self._allocate(file, position)
            block = located.block._replace(length=length)
            self._history.contents[block.block_id] = content
            try:
                yield from self._stream(located, block, content)
                file.blocks[position] = block
                return
            except DfsError as error:
                self.world.note(f"{self._id} pipeline of {block.name} failed: {error.code}")
            if located.targets:
                file.suspects.add(self.world.random.choice(located.targets).node_id)
            del file.blocks[position]
            yield from self._held(
                file, None, "abandon_block", self._id, file.file_id, block.block_id)
        raise NotEnoughReplicas(f"{PIPELINES} pipelines failed")

    def _allocate(self, file: WritingFile, position: int) -> Script:
        while True:
            excluded = tuple(sorted(file.suspects))
            try:
                located = yield from self._held(
                    file, None, "add_block", self._id, file.file_id, position, excluded)
            except NotEnoughReplicas:
                if not file.suspects:
                    raise
                file.suspects.clear()
            else:
                file.blocks[position] = located.block
                return located

    def _stream(self, located: LocatedBlock, block: Block, content: str) -> Script:
        if not located.targets:
            raise Unavailable("nobody knows where the block goes")
        first, rest = located.targets[0], located.targets[1:]
        holders = yield self._network.call(
            self, first.node_id, "write_block", block, content, rest,
            timeout=(1 + len(rest)) * CALL_SECONDS)
        if set(holders) != {target.node_id for target in located.targets}:
            raise NotEnoughReplicas(f"only {holders} confirmed the block")

    def _held(self, file: WritingFile, record: Any, method: str, *args: Any) -> Script:
        """Call under the lease; a namenode that forgot the lease gets it presented once more."""
        try:
            return (yield from self._repeat(NOT_NOW, record, method, *args))
        except LeaseExpired:
            yield from self._resume(file)
        return (yield from self._repeat(NOT_NOW, record, method, *args))

    def _resume(self, file: WritingFile) -> Script:
        blocks = tuple(sorted(file.blocks.items()))
        if file.tail is not None:
            return self._repeat(
                NOT_NOW, None, "resume_visible", self._id, file.file_id, file.tail, blocks)
        return self._repeat(
            NOT_NOW, None, "resume", self._id, file.path, file.file_id, file.overwrite,
            file.replication, file.replaces, blocks)

    def _renew(self) -> Script:
        while True:
            yield self.world.sleep(RENEW_SECONDS)
            if self._writing:
                try:
                    yield from self._call("renew_lease", self._id)
                except DfsError as error:
                    self.world.note(f"{self._id} lease not renewed: {error.code}")

    # Calls.

    def _operation(self) -> Tuple[str, int]:
        self._calls += 1
        return self._id, self._calls

    def _repeat(self, errors: Errors, record: Any, method: str, *args: Any) -> Script:
        """Call until it is answered with something else, or the patience ends."""
        deadline = self.clock() + RETRY_SECONDS
        pause = 0.05
        while True:
            if record is not None:
                record.sends += 1
            try:
                return (yield from self._call(method, *args))
            except errors:
                if self.clock() + pause > deadline:
                    raise
            yield self.world.sleep(pause * self.world.random.uniform(0.5, 1.0))
            pause = min(2 * pause, 1.0)

    def _call(self, method: str, *args: Any) -> Script:
        """Ask the presumed leader; the next call asks the other when it is not one."""
        asked = self._presumed
        timeout = COMPLETE_SECONDS if method in ("complete", "flush") else CALL_SECONDS
        try:
            return (yield self._network.call(
                self, self._namenodes[asked], method, *args, timeout=timeout))
        except (Unavailable, NotLeader):
            if asked == self._presumed:
                self._presumed = (asked + 1) % len(self._namenodes)
            raise
