"""What one directory of a datanode remembers besides its replicas: small files, written durably."""

import os
from typing import Optional

from data_service.datanode.store import layout
from data_service.datanode.store.health import Health
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import CorruptData

log = logs.get("volume")

_NUMBER_BYTES = 64
_RECORD_BYTES = 1 << 16


class VolumeRecords:
    """Errors are those of the volume that they belong to."""

    def __init__(self, root: str, health: Health, system: disk.SystemCalls) -> None:
        self._root = root
        self._health = health
        self._system = system

    def read(self, name: str, limit: int = _RECORD_BYTES) -> Optional[bytes]:
        """The content of the file `name`; None when there is none; CorruptData for a huge one."""
        path = os.path.join(self._root, name)
        with self._health.guard(path, "read"):
            return disk.read_file(path, limit)

    def write(self, name: str, data: bytes) -> None:
        """Keep a small file, durably."""
        path = os.path.join(self._root, name)
        with self._health.guard(path, "write"):
            disk.write_file(path, data, self._system)

    def read_number(self, name: str) -> int:
        """A number that was kept in the file `name`; 0 when there is none yet; CorruptData."""
        return layout.decode_number(name, self.read(name, _NUMBER_BYTES))

    def read_hint(self, name: str) -> int:
        """A number on which nothing but a little work depends: 0 also when it is damaged."""
        try:
            return self.read_number(name)
        except CorruptData as error:
            log.warning("number.damaged", root=self._root, problem=error.message)
            return 0

    def write_number(self, name: str, number: int) -> None:
        """Keep a number, durably."""
        self.write(name, layout.encode_number(number))

    def __repr__(self) -> str:
        return f"<VolumeRecords of {self._root}>"
