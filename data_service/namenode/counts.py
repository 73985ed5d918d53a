"""How many blocks are in which state, as `report` and `fsck` tell it."""

from typing import NamedTuple


class Counts(NamedTuple):
    """How many blocks. `missing`, `corrupt`, `under_replicated` and `excess` exclude each other
    (see `Health`). `corrupt_replicas`: blocks with any corrupt replica. `pending_deletion`:
    deleted ones that some node may still hold. `unknown`: replicas of ids that nobody knows.
    """

    blocks: int
    under_replicated: int
    excess: int
    missing: int
    corrupt: int
    corrupt_replicas: int
    pending_deletion: int
    pending_replication: int
    unknown: int
