"""The limits of the block side, from the settings."""

from data_service.namenode.replicas.block_policy import BlockPolicy
from zookeeper.fabric.auth import SECRET
from zookeeper.fabric.settings import Settings

SETTLING_HEARTBEATS = 3
REPEAT_HEARTBEATS = 30


def policy_of(settings: Settings) -> BlockPolicy:
    """The limits of the block side, from the settings."""
    own = settings.name_node
    return BlockPolicy(
        heartbeat_seconds=settings.data_node.heartbeat_seconds,
        stale_seconds=own.stale_seconds,
        dead_seconds=own.dead_seconds,
        tick_seconds=own.replication_interval_seconds,
        safe_mode_threshold=own.safe_mode_threshold,
        safe_mode_extension_seconds=own.safe_mode_extension_seconds,
        max_replications=own.max_replications,
        max_replication_streams=own.max_replication_streams,
        replication_seconds=own.replication_timeout_seconds,
        command_repeat_seconds=REPEAT_HEARTBEATS * settings.data_node.heartbeat_seconds,
        settling_seconds=SETTLING_HEARTBEATS * settings.data_node.heartbeat_seconds,
        # A writer may come back with its blocks until its lease ends, also after a restart.
        trash_grace_seconds=own.lease_hard_seconds,
        return_grace_seconds=own.lease_hard_seconds,
        # Where nobody gets in who does not belong, no datanode is of a release without digests.
        digests_needed=settings.security.mode == SECRET,
    )
