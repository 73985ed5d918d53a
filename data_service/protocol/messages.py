"""The messages between namenode, datanodes and clients: named tuples of plain values.

They travel as plain tuples (see `fabric/rpc.py`); a client rebuilds them with `decode`, which
refuses what is not of the types that are annotated here.
Times are milliseconds since 1970 for people to read; no decision compares them.
Long runs of rows (a listing, a block report) travel as one bytes value: JSON and `struct` are
C code, RPyC's own serializer is Python (measured: 5 against 30 microseconds a row).
"""

import json
import struct
from typing import Any, Iterable, Iterator, List, NamedTuple, Sequence, Tuple

from data_service.protocol.blocks import Block
from data_service.protocol.decoding import decode

DIRECTORY = "d"
FILE = "f"


class FileStatus(NamedTuple):
    """What `stat` and a listing tell of one inode. `name` is the last component only."""

    name: str
    inode_id: int
    kind: str
    length: int
    replication: int
    block_size: int
    owner: str
    group: str
    mode: int
    mtime_ms: int
    atime_ms: int

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory (whose length, replication and block size are 0)."""
        return self.kind == DIRECTORY


class Target(NamedTuple):
    """A datanode as a peer to connect to."""

    node_id: str
    host: str
    port: int


class LocatedBlock(NamedTuple):
    """A block of a file and the datanodes that hold it (or, when writing, shall hold it).

    Its writer presents the `claim` with it to a namenode that was restarted.
    """

    block: Block
    offset: int
    targets: Tuple[Target, ...]
    corrupt: bool
    token: bytes
    claim: str = ""

    @classmethod
    def from_wire(cls, row: Tuple[Any, ...]) -> "LocatedBlock":
        """Rebuild the nested tuples; raises ProtocolViolation."""
        return decode(cls, row)


class Locations(NamedTuple):
    """The answer to `block_locations`: a file and its blocks in order."""

    status: FileStatus
    blocks: Tuple[LocatedBlock, ...]

    @classmethod
    def from_wire(cls, row: Tuple[Any, ...]) -> "Locations":
        """Rebuild the nested tuples; raises ProtocolViolation."""
        return decode(cls, row)


class OpenedFile(NamedTuple):
    """The answer to `create`, `append` and `truncate`: what a writer must know, and present.

    New blocks begin at `position`, `offset` bytes into the file. Of its `length` bytes, those
    behind the offset are replaced when the new ones become visible. `replaces` is the number of
    the file that stands where the new one will appear, 0 for none. The `claim` is the proof that
    the file was given to this client.
    """

    file_id: int
    replication: int
    block_size: int
    position: int = 0
    offset: int = 0
    length: int = 0
    replaces: int = 0
    claim: str = ""


class Completed(NamedTuple):
    """The answer to `complete`.

    `replicas` is the least number that any block has; the file's replication when it has none.
    """

    status: FileStatus
    replicas: int


class ContentSummary(NamedTuple):
    """What `du` and `count` tell. A directory counts itself; `space` is length x replication."""

    directories: int
    files: int
    length: int
    space: int


class QuotaUsage(NamedTuple):
    """The quotas of a directory (QUOTA_RESET: none), and what counts for them.

    `names` are files and directories, itself among them, `space` bytes of all replicas; what files
    take that are being written is counted, a whole block for each block. Without any quota nothing
    is counted.
    """

    name_quota: int
    names: int
    space_quota: int
    space: int


QUOTA_RESET = -1
"""In the place of a quota: none."""

QUOTA_UNCHANGED = (1 << 63) - 1
"""In the place of a new quota: as it is."""

NAME_QUOTA_MAX = (1 << 63) - 1
"""The name quota of the root as long as nobody sets another."""


class NodeInfo(NamedTuple):
    """How a datanode introduces itself at registration.

    `node_id` is on its disk and survives restarts; `incarnation` is drawn at each start of the
    process, so that two processes with one (cloned) disk can be told apart. `version` is the
    release that it runs; an older one does not tell it.
    """

    node_id: str
    incarnation: str
    host: str
    port: int
    rack: str
    cluster_id: str
    version: str = ""


class Registration(NamedTuple):
    """The namenode's answer: the session to present, the epoch whose commands to obey."""

    session: int
    epoch: int
    cluster_id: str


class NodeStats(NamedTuple):
    """What a datanode tells with every heartbeat; sizes in bytes.

    Its process runs for `uptime_seconds`; an older release tells nothing of it.
    """

    capacity: int
    used: int
    remaining: int
    blocks: int
    streams: int
    failed_volumes: int
    uptime_seconds: int = 0


class DataNodeStatus(NamedTuple):
    """One line of `report`. `state` is live, stale or dead; contact times are seconds ago."""

    node_id: str
    host: str
    port: int
    rack: str
    state: str
    stats: NodeStats
    last_contact_seconds: float
    last_report_seconds: float
    version: str = ""

    @classmethod
    def from_wire(cls, row: Tuple[Any, ...]) -> "DataNodeStatus":
        """Rebuild the nested tuple; raises ProtocolViolation."""
        return decode(cls, row)


class ClusterStatus(NamedTuple):
    """What `df` and the head of `report` tell; sizes in bytes, everything else of blocks.

    `missing`: no replica is left; `corrupt`: only corrupt ones are; `under_replicated`: good ones,
    but too few; `excess`: too many. These four exclude each other. `corrupt_replicas`: those with
    any corrupt replica; `urgent`: under-replicated ones with one good replica left; `lost_alone`:
    missing or corrupt ones that were to have one replica only; `pending_deletion`: deleted ones
    that some datanode may still hold; `pending_replication`: those being copied. `removals` are
    replicas that a datanode was, or will be, told to remove and has not confirmed yet.
    """

    capacity: int
    used: int
    remaining: int
    safe_mode: bool
    safe_mode_reason: str
    under_replicated: int
    corrupt: int
    missing: int
    pending_deletion: int
    epoch: int
    cluster_id: str
    blocks: int = 0
    excess: int = 0
    corrupt_replicas: int = 0
    urgent: int = 0
    lost_alone: int = 0
    pending_replication: int = 0
    removals: int = 0


class Health(NamedTuple):
    """The replicas of one committed block on datanodes that are not dead.

    `leaving` are surplus ones on their way out, `copying` those on their way in. Missing: neither
    live nor corrupt ones. Corrupt: only corrupt ones. Under-replicated: 0 < live < wanted.
    Excess: live > wanted.
    """

    wanted: int
    live: int
    corrupt: int
    leaving: int
    copying: int = 0


LIVE_REPLICA, STALE_NODE, STALE_CONTENT = "LIVE", "STALE_NODE", "STALE_BLOCK_CONTENT"
CORRUPT_REPLICA, EXCESS_REPLICA = "CORRUPT", "EXCESS"


class Holder(NamedTuple):
    """A datanode with a replica of a block. `state` is one of HDFS's words, as above.

    STALE_NODE: good, of a datanode that is silent; STALE_BLOCK_CONTENT: of one that has not fully
    reported yet.
    """

    node_id: str
    host: str
    port: int
    rack: str
    state: str

    @property
    def is_good(self) -> bool:
        """Whether the replica counts."""
        return self.state not in (CORRUPT_REPLICA, EXCESS_REPLICA)


class BlockHealth(NamedTuple):
    """A block of a file, how its replicas are, and where all of them are, the good ones first."""

    block: Block
    health: Health
    holders: Tuple[Holder, ...]


class FsckRow(NamedTuple):
    """A directory or file with its absolute path, and the state of its blocks.

    `writer` is the client that has it open for writing, at `host`; then the blocks are those so
    far.
    """

    path: str
    status: FileStatus
    blocks: Tuple[BlockHealth, ...]
    writer: str = ""
    host: str = ""

    @classmethod
    def from_wire(cls, row: Sequence[Any]) -> "FsckRow":
        """Rebuild the nested tuples, also from the lists that JSON makes of them."""
        return decode(cls, row)


class Command(NamedTuple):
    """An order to a datanode, in the reply to its heartbeat.

    `replicate`: copy `blocks` (one) to `targets`. `delete`: remove `blocks`, which are deleted or
    surplus. `delete_corrupt`: remove those of `blocks` that are found to be corrupt once more, and
    tell of the others that they are good. `trash`: set `blocks` aside, which nobody claims.
    `verify`: read `blocks`, tell which are good and which are corrupt. `report`: send a full
    report now.
    """

    action: str
    blocks: Tuple[Block, ...]
    targets: Tuple[Target, ...]

    @classmethod
    def from_wire(cls, row: Tuple[Any, ...]) -> "Command":
        """Rebuild the nested tuples; raises ProtocolViolation."""
        return decode(cls, row)


REPLICATE = "replicate"
DELETE = "delete"
DELETE_CORRUPT = "delete_corrupt"
VERIFY = "verify"
REPORT = "report"
TRASH = "trash"

_BLOCK = struct.Struct("!QQQ")


def pack_blocks(blocks: Iterable[Block]) -> bytes:
    """A block report's part as bytes: 24 bytes a block."""
    return b"".join(_BLOCK.pack(*block) for block in blocks)


def unpack_blocks(data: bytes) -> Iterator[Block]:
    """The reverse of `pack_blocks`; raises struct.error when the length is no multiple of 24."""
    return map(Block._make, _BLOCK.iter_unpack(data))


def pack_rows(rows: Iterable[Tuple[Any, ...]]) -> bytes:
    """Rows of plain values (no bytes among them) as one bytes value."""
    return json.dumps(list(rows), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def unpack_rows(data: bytes) -> List[List[Any]]:
    """The reverse of `pack_rows`; raises ValueError on damaged input."""
    return json.loads(data)
