"""What a namenode of the simulation has in memory, and where that stands in the record."""

from itertools import count
from random import Random

from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from tests.simulation.auditor import STALE_SECONDS

LEASE_SOFT_SECONDS = 4.0
LEASE_HARD_SECONDS = 12.0
TICK_SECONDS = 1.0
POLICY = BlockPolicy(
    heartbeat_seconds=1.0, stale_seconds=STALE_SECONDS, dead_seconds=8.0, tick_seconds=TICK_SECONDS,
    safe_mode_threshold=0.999, safe_mode_extension_seconds=1.0, max_replications=20,
    max_replication_streams=2, replication_seconds=5.0, command_repeat_seconds=3.0,
    trash_grace_seconds=LEASE_HARD_SECONDS, return_grace_seconds=6.0,
)  # fmt: skip


class ModelCore:
    """As `Core` of the namenode, without locks: `digest` is that of the last edit followed, empty
    when that is not known; `cluster_id` is empty while there is no record yet."""

    def __init__(self, cluster_id: str, random: Random) -> None:
        blocks = Blocks(cluster_id, POLICY, count(1 + random.getrandbits(40)))
        self.state = State(blocks, "root", "supergroup", LEASE_SOFT_SECONDS, LEASE_HARD_SECONDS)
        self.cluster_id = cluster_id
        self.digest = ""

    def __repr__(self) -> str:
        return f"<ModelCore of {self.state!r}>"
