"""VERSION: whose directory this is, in which layout, and how far its database must have come.

Lines of `key=value`. `log` is the number of the newest write-ahead log: the first transaction
in each log stores the same number in the database before it is written here. A database that
knows only a smaller number has lost a log of committed edits, or is an old copy.
"""

import os
from typing import NamedTuple, Optional

from metadata_service.record.schema import LAYOUT
from zookeeper.fabric import disk
from zookeeper.fabric.disk import SYSTEM, SystemCalls
from zookeeper.fabric.errors import CorruptData, StartRefused

NAME = "VERSION"
_BYTES_MAX = 4096
_FIRST_WITH_MEMBERS = 5
"""The first layout that knows several members."""


class Version(NamedTuple):
    """The content of VERSION. A blank member has no cluster id yet. Before layout 5, and in a
    backup, there is no member id."""

    cluster_id: str
    layout: int
    log: int
    member_id: str = ""

    def lines(self) -> str:
        """The file's text."""
        pairs = list(zip(self._fields, self))
        return "".join(f"{name}={value}\n" for name, value in pairs[: self._count()])

    def _count(self) -> int:
        return len(self._fields) if self.layout >= _FIRST_WITH_MEMBERS else len(self._fields) - 1


def write(directory: str, version: Version, system: SystemCalls = SYSTEM) -> None:
    """Replace the file durably; raises DiskFull or DiskFailed."""
    disk.write_file(os.path.join(directory, NAME), version.lines().encode("utf-8"), system)


def read(directory: str) -> Optional[Version]:
    """The directory's VERSION, or None without one; raises StartRefused on a damaged or new one."""
    path = os.path.join(directory, NAME)
    try:
        data = disk.read_file(path, _BYTES_MAX)
    except CorruptData:
        data = b""
    if data is None:
        return None
    version = _parse(data)
    if version is None:
        raise StartRefused(f"{path} is damaged: restore it from a backup of the directory")
    if version.layout > LAYOUT:
        raise StartRefused(
            f"{path} says layout {version.layout}, but this program knows layouts up to {LAYOUT}: "
            "start the newer program that wrote it"
        )
    return version


def _parse(data: bytes) -> Optional[Version]:
    """The version if `data` is exactly what `write` writes, else None."""
    try:
        pairs = dict(line.split("=", 1) for line in data.decode("ascii").splitlines())
        version = Version(
            pairs["cluster_id"], int(pairs["layout"]), int(pairs["log"]), pairs.get("member_id", "")
        )
    except (ValueError, KeyError):
        return None
    # A blank member that is to have another name has neither for a moment.
    named = version.cluster_id or version.layout >= _FIRST_WITH_MEMBERS
    return version if named and version.lines().encode("ascii") == data else None
