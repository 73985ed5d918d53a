"""The newest epoch of each role, on disk: the only thing that the zookeeper must not forget.

The file is replaced as a whole, and its directory is made again when somebody took it away: who
runs knows all epochs. When the disk is full, a spare record takes the epochs, written
over what it held before: also then there can be a leader. Of what is read the larger epoch of each
role counts.
"""

import os
from typing import Dict

from zookeeper.election import decode_epochs, encode_epochs
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import CorruptData, DiskFull, StartRefused
from zookeeper.fabric.spare import SpareRecord

log = logs.get("zookeeper")

NAME, SPARE = "epochs", "epochs.spare"
BYTES_MAX = 16384


class EpochFile:
    """The epochs in `directory`. One writer at a time."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = os.path.join(directory, NAME)
        self._spare = SpareRecord(os.path.join(directory, SPARE), BYTES_MAX)

    def read(self) -> Dict[str, int]:
        """The epochs on disk; none before the first campaign. Raises StartRefused on damage."""
        try:
            content = disk.read_file(self._path, BYTES_MAX)
            epochs = {} if content is None else decode_epochs(content)
            spare = self._spare.read()
            for role, epoch in ({} if spare is None else decode_epochs(spare)).items():
                epochs[role] = max(epoch, epochs.get(role, 0))
        except CorruptData as error:
            # To begin at 0 again would hand out epochs that were handed out before.
            raise StartRefused(
                f"{self._path} is damaged ({error.message}): restore it from a copy; it may be "
                "removed only while every daemon of the cluster is stopped"
            ) from None
        try:
            self._spare.prepare()
        except DiskFull as error:
            log.warning("spare.not_made", error=error.message)
        return epochs

    def write(self, epochs: Dict[str, int]) -> None:
        """Make these the epochs, durably. Raises DiskFull, DiskFailed."""
        content = encode_epochs(epochs)
        try:
            if not os.path.isdir(self._directory):
                log.warning("directory.gone", directory=self._directory, effect="it is made again")
                disk.make_directories(self._directory)
                self._spare.prepare()
            disk.write_file(self._path, content)
        except DiskFull as error:
            log.warning("disk.full", error=error.message, effect="the spare record is used")
            self._spare.write(content)

    def __repr__(self) -> str:
        return f"<EpochFile {self._path}>"
