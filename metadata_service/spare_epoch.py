"""The newest epoch, when it could not be written into the database because the disk is full.

To lead takes a durable claim, and to read files takes a leader. So that files can be read from a
cluster whose record is on a full disk, a claim may be written over an older one here. The database
takes it over with the first change that it has room for.
"""

import json
import os
from typing import Tuple

from zookeeper.fabric.errors import CorruptData
from zookeeper.fabric.spare import SpareRecord

NAME = "epoch.spare"
_BYTES_MAX = 4000


class SpareEpoch:
    """The claim of one cluster that is kept beside its database."""

    def __init__(self, directory: str, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._record = SpareRecord(os.path.join(directory, NAME), _BYTES_MAX)

    def prepare(self) -> None:
        """Set room aside for it; raises DiskFull."""
        self._record.prepare()

    def read(self) -> Tuple[int, str]:
        """(epoch, owner); 0 and nobody when there is none of this cluster. Raises CorruptData."""
        content = self._record.read()
        if content is None:
            return 0, ""
        try:
            cluster_id, epoch, owner = json.loads(content)
        except ValueError:
            raise CorruptData(f"{NAME} holds no epoch") from None
        return (int(epoch), str(owner)) if cluster_id == self._cluster_id else (0, "")

    def write(self, epoch: int, owner: str) -> None:
        """Make this the claim, durably. Raises DiskFull, DiskFailed."""
        self._record.write(json.dumps([self._cluster_id, epoch, owner]).encode("ascii"))

    def __repr__(self) -> str:
        return f"<SpareEpoch in {self._record}>"
