"""What the two stores, the cluster and the disk of this machine, have words for in common.

A store takes absolute paths and raises errors of the family (PathNotFound and so on).
"""

from typing import NamedTuple


class Creation(NamedTuple):
    """The options of a new file. Replication and block size 0 are the cluster's defaults.

    Without `overwrite` it is PathExists when there is one of that name.
    """

    overwrite: bool = True
    replication: int = 0
    block_size: int = 0


class Space(NamedTuple):
    """How much room a store has, in bytes."""

    capacity: int
    used: int
    remaining: int
