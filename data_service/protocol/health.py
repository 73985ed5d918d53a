"""What the namenode tells of the cluster and its replicas: `report`, `df` and `fsck`."""

from typing import NamedTuple, Tuple

from data_service.protocol.blocks import Block
from data_service.protocol.files import FileStatus
from data_service.protocol.nodes import NodeStats, host_and_port
from zookeeper.fabric.kinds import Natural, Port, Text

LIVE, STALE, DEAD = "live", "stale", "dead"
"""Whether a datanode reports: what its state is."""

LIVE_REPLICA, STALE_NODE, STALE_CONTENT = "LIVE", "STALE_NODE", "STALE_BLOCK_CONTENT"
CORRUPT_REPLICA, EXCESS_REPLICA = "CORRUPT", "EXCESS"


class DataNodeStatus(NamedTuple):
    """One line of `report`. `state` is LIVE, STALE or DEAD; contact times are seconds ago."""

    node_id: str
    host: str
    port: Port
    rack: str
    state: str
    stats: NodeStats
    last_contact_seconds: float
    last_report_seconds: float
    version: str = ""

    @property
    def address(self) -> str:
        """Where it listens; empty for who is not told."""
        return host_and_port(self.host, self.port) if self.host else ""

    def unnamed(self) -> "DataNodeStatus":
        """What it has and whether it lives, but not which one it is."""
        return self._replace(node_id="", host="", version="")


class ClusterStatus(NamedTuple):
    """What `df` and the head of `report` tell; sizes in bytes, everything else of blocks.

    `missing`: no replica is left; `corrupt`: only corrupt ones are; `under_replicated`: good ones,
    but too few; `excess`: too many. These four exclude each other. `corrupt_replicas`: those with
    any corrupt replica; `urgent`: under-replicated ones with one good replica left; `lost_alone`:
    missing or corrupt ones that were to have one replica only; `pending_deletion`: deleted ones
    that some datanode may still hold; `pending_replication`: those being copied. `removals` are
    replicas that a datanode was, or will be, told to remove and has not confirmed yet.
    """

    capacity: Natural
    used: Natural
    remaining: Natural
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

    @property
    def other(self) -> int:
        """What else than replicas takes room on the disks of datanodes."""
        return max(0, self.capacity - self.used - self.remaining)


class AilingMember(NamedTuple):
    """What is wrong with a metadata service: a word, a sentence's rest behind its name, and another
    sentence about what to do."""

    address: Text
    word: Text
    words: Text
    advice: Text


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


class Holder(NamedTuple):
    """A datanode with a replica of a block. `state` is one of HDFS's words, as above.

    STALE_NODE: good, of a datanode that is silent; STALE_BLOCK_CONTENT: of one that has not fully
    reported yet.
    """

    node_id: str
    host: str
    port: Port
    rack: str
    state: str

    @property
    def address(self) -> str:
        """Where it listens."""
        return host_and_port(self.host, self.port)

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
