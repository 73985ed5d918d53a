"""A namenode without durability, permissions or policy, over real connections, for tests.

It hands out blocks on the datanodes that registered, remembers what everybody said, and fails
where a test tells it to:

    namenode.errors["add_block"] = [LeaseExpired("restarted")]
"""

import threading
from collections import deque
from typing import Any, Deque, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from data_service.protocol.blocks import Block, unpack_blocks
from data_service.protocol.files import (
    Begun,
    QUOTA_RESET,
    FileStatus,
    LocatedBlock,
    Locations,
    OpenedFile,
    QuotaUsage,
)
from data_service.protocol.health import DataNodeStatus
from data_service.protocol.nodes import Command, NodeInfo, NodeStats, Registration, Target
from tests.support.models.plain_rewriting import PlainRewriting
from tests.support.clusters.ports import Ports
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import (
    DfsError,
    LeaseExpired,
    NotEnoughReplicas,
    PathExists,
    PathNotFound,
    SessionExpired,
)
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.kinds import pack_rows
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Address, NetworkSettings

CLUSTER_ID = "cluster-1"
BLOCK_SIZE = 300_000
"""Two chunks and a part of a third one."""


class KnownNode:
    """What a datanode has told."""

    def __init__(self, info: NodeInfo, session: int) -> None:
        self.info = info
        self.session = session
        self.good: Dict[int, Block] = {}
        self.corrupt: Dict[int, Block] = {}
        self.deleted: Set[int] = set()
        self.stats: Tuple[int, ...] = ()
        self.commands: Deque[Command] = deque()
        self.listed: List[Block] = []
        self.reports = 0

    @property
    def target(self) -> Target:
        """Where it listens."""
        return Target(self.info.node_id, self.info.host, self.info.port)


class PlainFile(NamedTuple):
    """A file: `blocks` by position. Of an open one, the new blocks, behind `kept` others."""

    path: str
    file_id: int
    replication: int
    block_size: int
    overwrite: bool
    blocks: Dict[int, Block]
    kept: int = 0

    def status(self) -> FileStatus:
        """What `stat` tells."""
        length = sum(block.length for block in self.blocks.values())
        name = self.path.rpartition("/")[2]
        return FileStatus(name, self.file_id, "f", length, self.replication, self.block_size,
                          "me", "us", 0o644, 1, 1)


class PlainNameNode:
    """The state behind all connections; use it in a `with`."""

    def __init__(self, replication: int = 2, block_size: int = BLOCK_SIZE) -> None:
        self.defaults = (replication, block_size)
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.epoch = 1
        self.nodes: Dict[str, KnownNode] = {}
        self.files: Dict[str, PlainFile] = {}
        self.open: Dict[int, PlainFile] = {}
        self.calls: List[Tuple[str, tuple]] = []
        self.errors: Dict[str, List[DfsError]] = {}
        self.order: List[str] = []
        """Ids of datanodes: those named here are chosen first, in this order."""
        self.answers_without_targets = 0
        """So many answers to add_block name no datanodes, as for a file that was resumed."""
        self.remaining = 1 << 50
        """Bytes that each datanode has left."""
        self.quotas: Dict[str, int] = {}
        """Space quotas of directories."""
        self._numbers = 0
        self._ports = Ports()
        self.address = Address(self._ports.host, self._ports.take())
        self._server = Server(
            f"name_node@{self.address}", *self.address, lambda: PlainService(self),
            Credentials(Principal("name_node")), NetworkSettings(),
        )  # fmt: skip

    def __enter__(self) -> "PlainNameNode":
        self._server.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with self.lock:
            self.changed.notify_all()
        self._server.stop()
        self._ports.close()

    def enter(self, method: str, args: tuple) -> None:
        """Note a call, and fail if a test wants so."""
        self.calls.append((method, args))
        errors = self.errors.get(method)
        if errors:
            raise errors.pop(0)

    def called(self, method: str) -> List[tuple]:
        """The arguments of all calls of a method."""
        return [args for name, args in self.calls if name == method]

    def number(self) -> int:
        """A number that was never used."""
        self._numbers += 1
        return self._numbers

    def node(self, session: int) -> KnownNode:
        """Who has this session; raises SessionExpired."""
        for known in self.nodes.values():
            if known.session == session:
                return known
        raise SessionExpired("unknown session")

    def holders(self, block: Block) -> List[KnownNode]:
        """The datanodes that told of exactly this replica."""
        return [node for node in self.chosen() if node.good.get(block.block_id) == block]

    def chosen(self) -> List[KnownNode]:
        """All datanodes, the preferred ones first."""
        def rank(node: KnownNode) -> int:
            known = node.info.node_id in self.order
            return self.order.index(node.info.node_id) if known else len(self.order)
        return sorted(self.nodes.values(), key=rank)

    def command(self, node_id: str, action: str, block: Block, *targets: Target) -> None:
        """Order something by the reply to the datanode's heartbeat."""
        with self.lock:
            self.nodes[node_id].commands.append(Command(action, (block,), targets))
            self.changed.notify_all()

    def forget(self) -> None:
        """As after a restart: no open files, no sessions."""
        with self.lock:
            self.open.clear()
            self.nodes.clear()
            self.changed.notify_all()


class PlainService(PlainRewriting):
    """One connection's view of the PlainNameNode."""

    def __init__(self, core: PlainNameNode) -> None:
        self._core = core

    def exposed_register(self, info: tuple) -> tuple:
        """A datanode introduces itself."""
        core = self._core
        core.enter("register", (info,))
        with core.lock:
            node = KnownNode(NodeInfo._make(info), core.number())
            core.nodes[node.info.node_id] = node
            return Registration(node.session, core.epoch, CLUSTER_ID)

    def exposed_heartbeat(self, session: int, stats: tuple, wait: float, *_: float) -> tuple:
        """Commands, or none after a while; nothing is made of what else is told."""
        core = self._core
        core.enter("heartbeat", (session, stats, wait))
        with core.lock:
            node = core.node(session)
            node.stats = stats
            core.changed.notify_all()
            core.changed.wait_for(lambda: node.commands, wait)
            core.node(session)
            commands = tuple(node.commands)
            node.commands.clear()
            return core.epoch, commands

    def exposed_block_report(self, session: int, report_id: int, part: int, parts: int,
                             payload: bytes, digests: bytes = b"") -> None:
        """A part of a full report."""
        core = self._core
        core.enter("block_report", (session, report_id, part, parts, payload))
        with core.lock:
            node = core.node(session)
            node.listed = ([] if part == 0 else node.listed) + list(unpack_blocks(payload))
            if part == parts - 1:
                node.good = {block.block_id: block for block in node.listed}
                node.reports += 1

    def exposed_block_changes(self, session: int, received: tuple, deleted: tuple,
                              corrupt: tuple, verified: tuple) -> None:
        """News of single replicas."""
        core = self._core
        core.enter("block_changes", (session, received, deleted, corrupt))
        with core.lock:
            node = core.node(session)
            for block in map(Block._make, deleted + corrupt):
                node.good.pop(block.block_id, None)
            node.deleted.update(block[0] for block in deleted)
            node.corrupt.update((block[0], Block._make(block)) for block in corrupt)
            node.good.update((told[0], Block(*told[:3])) for told in received + verified)

    def exposed_copy_failed(
        self, session: int, block_id: int, unreached: Tuple[str, ...] = ()
    ) -> None:
        """An ordered copy was not made."""
        self._core.enter("copy_failed", (session, block_id, unreached))

    def exposed_create(self, op: tuple, path: str, overwrite: bool, replication: int,
                       block_size: int, mode: int, first_block: Optional[tuple] = None) -> tuple:
        """Open a file for writing."""
        core = self._core
        core.enter("create", (op, path, overwrite, replication, block_size, mode, first_block))
        with core.lock:
            if path in core.files and not overwrite:
                raise PathExists(f"create: {path} already exists")
            file = PlainFile(path, core.number(), replication or core.defaults[0],
                             block_size or core.defaults[1], overwrite, {})
            core.open[file.file_id] = file
            opened = OpenedFile(file.file_id, file.replication, file.block_size)
            if first_block is None:
                return opened
            return Begun(opened, self._allocate(file, 0, first_block))

    def exposed_add_block(self, client_id: str, file_id: int, position: int,
                          excluded: tuple) -> tuple:
        """A block on the first datanodes that are not excluded."""
        core = self._core
        core.enter("add_block", (client_id, file_id, position, excluded))
        with core.lock:
            return self._allocate(self._open(file_id), position, excluded)

    def _allocate(self, file: PlainFile, position: int, excluded: tuple) -> LocatedBlock:
        core = self._core
        targets = [node.target for node in core.chosen() if node.info.node_id not in excluded]
        if not targets:
            raise NotEnoughReplicas(
                f"File {file.path} could only be written to 0 of the 1 minReplication nodes. "
                f"There are {len(core.nodes)} datanode(s) running and {len(excluded)} node(s) "
                "are excluded in this operation.")
        block = file.blocks[position] = Block(core.number(), 1, 0)
        if core.answers_without_targets:
            core.answers_without_targets -= 1
            targets = []
        return LocatedBlock(block, 0, tuple(targets[: file.replication]), False, b"")

    def exposed_abandon_block(self, client_id: str, file_id: int, block_id: int) -> None:
        """Drop a block."""
        core = self._core
        core.enter("abandon_block", (client_id, file_id, block_id))
        with core.lock:
            blocks = self._open(file_id).blocks
            for position in [key for key, block in blocks.items() if block.block_id == block_id]:
                del blocks[position]

    def exposed_complete(self, op: tuple, file_id: int, blocks: tuple) -> tuple:
        """Make a file appear whose blocks were reported by somebody."""
        self._core.enter("complete", (op, file_id, blocks))
        with self._core.lock:
            answer = self._publish(self._open(file_id), blocks)
            del self._core.open[file_id]
            return answer

    def exposed_flush(self, op: tuple, file_id: int, blocks: tuple) -> tuple:
        """As `complete`, and the file stays open."""
        self._core.enter("flush", (op, file_id, blocks))
        with self._core.lock:
            answer = self._publish(self._open(file_id), blocks)
            path = self._open(file_id).path
            self._reopen(path, len(self._file(path).blocks))
            return answer

    def _publish(self, file: PlainFile, blocks: tuple) -> tuple:
        core = self._core
        told = [Block(*block[:3]) for block in blocks]
        known = [file.blocks[position][:2] for position in sorted(file.blocks)]
        assert known == [block[:2] for block in told], (known, told)
        holders = [len(core.holders(block)) for block in told]
        if not all(holders):
            raise NotEnoughReplicas("not confirmed")
        old = core.files[file.path].blocks if file.kept else {}
        content = [old[position] for position in range(file.kept)] + told
        core.files[file.path] = file._replace(blocks=dict(enumerate(content)), kept=0)
        least = min(holders, default=file.replication)
        return core.files[file.path].status(), min(least, file.replication)

    def exposed_resume(self, client_id: str, path: str, file_id: int, overwrite: bool,
                       replication: int, block_size: int, mode: int, replaces: int,
                       blocks: tuple, claim: str) -> tuple:
        """Take over a file."""
        core = self._core
        core.enter("resume", (client_id, path, file_id, overwrite, replication, block_size, mode,
                              replaces, blocks, claim))
        with core.lock:
            known = {position: Block._make(block) for position, block, _ in blocks}
            core.open[file_id] = PlainFile(path, file_id, replication, block_size, overwrite, known)
            return OpenedFile(file_id, replication, block_size)

    def exposed_abandon_file(self, client_id: str, file_id: int) -> None:
        """Drop a file."""
        self._core.enter("abandon_file", (client_id, file_id))
        with self._core.lock:
            self._core.open.pop(file_id, None)

    def exposed_renew_lease(self, client_id: str) -> None:
        """Nothing expires here."""
        self._core.enter("renew_lease", (client_id,))

    def exposed_stat(self, path: str) -> tuple:
        """The status of a file."""
        self._core.enter("stat", (path,))
        return self._file(path).status()

    def exposed_list(self, path: str, after: str, limit: int) -> Tuple[bytes, bool]:
        """A page of all files."""
        self._core.enter("list", (path, after, limit))
        rows = sorted(file.status() for file in self._core.files.values())
        behind = [row for row in rows if row.name > after]
        return pack_rows(behind[:2]), len(behind) > 2

    def exposed_delete(self, op: tuple, path: str, recursive: bool) -> bool:
        """Forget a file."""
        self._core.enter("delete", (op, path, recursive))
        return self._core.files.pop(path, None) is not None

    def exposed_block_locations(self, path: str, offset: int, length: int) -> tuple:
        """The blocks that cover a range."""
        self._core.enter("block_locations", (path, offset, length))
        file, start, located = self._file(path), 0, []
        with self._core.lock:
            for block in file.blocks.values():
                if start < offset + length and offset < start + block.length:
                    located.append(self._located(block, start))
                start += block.length
        return Locations(file.status(), tuple(located))

    def exposed_datanode_reports(self) -> tuple:
        """All datanodes, each with as much room as a test says."""
        with self._core.lock:
            return tuple(
                DataNodeStatus(
                    *node.target, "/default-rack", "live",
                    NodeStats(1 << 50, 0, self._core.remaining, 0, 0, 0), 0.0, 0.0,
                )  # fmt: skip
                for node in self._core.nodes.values()
            )

    def exposed_quota_usage(self, path: str) -> tuple:
        """A quota where a test says so."""
        if path not in self._core.quotas:
            raise PathNotFound(f"File does not exist: {path}")
        return QuotaUsage(QUOTA_RESET, 0, self._core.quotas[path], 0)

    def exposed_report_bad_block(self, block: tuple, node_id: str) -> None:
        """A reader met damage."""
        self._core.enter("report_bad_block", (block, node_id))
        with self._core.lock:
            self._core.nodes[node_id].good.pop(block[0], None)
            self._core.nodes[node_id].corrupt[block[0]] = Block._make(block)

    def _located(self, block: Block, offset: int) -> LocatedBlock:
        core = self._core
        nodes: Iterable[KnownNode] = core.holders(block) or [
            node for node in core.chosen() if block.block_id in node.corrupt]
        return LocatedBlock(block, offset, tuple(node.target for node in nodes), False, b"")

    def _open(self, file_id: int) -> PlainFile:
        file: Optional[PlainFile] = self._core.open.get(file_id)
        if file is None:
            raise LeaseExpired(f"No lease on inode {file_id}")
        return file

    def _file(self, path: str) -> PlainFile:
        file: Any = self._core.files.get(path)
        if file is None:
            raise PathNotFound(f"File does not exist: {path}")
        return file
