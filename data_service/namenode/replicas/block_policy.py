"""The settings that the block side of the namenode decides by, as one plain value."""

from typing import NamedTuple


class BlockPolicy(NamedTuple):
    """Durations are seconds of the namenode's monotonic clock.

    `tick_seconds` is how often the monitor ticks; `safe_mode_threshold` is the share of
    committed blocks that need a reported replica; `max_replications` bounds the copies under way
    in all, `max_replication_streams` those of one source; `replication_seconds` is after how
    long a copy that did not arrive is planned anew; `command_repeat_seconds` after how long an
    order to delete that was not confirmed is sent again; `trash_grace_seconds` how long a
    replica of an unknown block is left alone before its datanode is asked to move it to trash;
    `settling_seconds` how long after a start missing datanodes are waited for by writers (and
    up to `awaited_seconds` those that the zookeeper sees): the first one after a restart would else
    find few of them, or none; `return_grace_seconds` how long the ids of deleted blocks are kept
    for datanodes that are down and may come back; `verified_seconds` how long a replica that its
    datanode has read and found good is a reason to remove another one. `digests_needed`: a replica
    whose datanode does not tell its digest counts for nothing, if its block has one.
    """

    heartbeat_seconds: float = 1.0
    stale_seconds: float = 10.0
    dead_seconds: float = 60.0
    tick_seconds: float = 1.0
    safe_mode_threshold: float = 0.999
    safe_mode_extension_seconds: float = 5.0
    max_replications: int = 100
    max_replication_streams: int = 2
    replication_seconds: float = 300.0
    command_repeat_seconds: float = 30.0
    trash_grace_seconds: float = 3600.0
    settling_seconds: float = 0.0
    return_grace_seconds: float = 0.0
    verified_seconds: float = 600.0
    awaited_seconds: float = 60.0
    digests_needed: bool = False
