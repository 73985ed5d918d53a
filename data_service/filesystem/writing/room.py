"""What can never fit is refused before its first byte, where the size is known.

Not to promise anything: others write, too. But hours of sending must not end with what was known
when they began.
"""

from contextlib import suppress
from typing import Callable, Iterable, Iterator, NamedTuple, Sequence

from data_service.filesystem.writing.open_file import OpenFile
from data_service.protocol.blocks import BLOCKS_MAX
from data_service.protocol.files import OpenedFile, QuotaUsage
from data_service.protocol.health import DEAD, DataNodeStatus
from data_service.protocol.redundancy import replicated
from data_service.protocol.sizes import scaled
from zookeeper.fabric.errors import DfsError, DiskFull, InvalidArgument, QuotaExceeded

_STEP = 1 << 20


class Room(NamedTuple):
    """What the cluster has left, by what it tells: its datanodes, and the usage of a directory."""

    datanodes: Callable[[], Sequence[DataNodeStatus]]
    quota_usage: Callable[[str], QuotaUsage]

    def check(self, file: OpenFile, size: int) -> None:
        """Refuse what can never fit; of one block the namenode tells that itself, at once."""
        if size <= file.block_size:
            return
        check_block_count(file.path, size, file.block_size)
        check_room(file.path, size, file.opened, self.datanodes())
        check_quotas(file.path, size, file.opened, self._quotas_above(file.path))

    def _quotas_above(self, path: str) -> Iterator[QuotaUsage]:
        """Those that the caller may see. Not of the root: all that there is would be counted."""
        above = path.rpartition("/")[0]
        while above:
            with suppress(DfsError):
                yield self.quota_usage(above)
            above = above.rpartition("/")[0]


def check_block_count(path: str, size: int, block_size: int) -> None:
    """Raise InvalidArgument when a file of `size` bytes would have too many blocks."""
    count = -(-size // block_size)
    if count > BLOCKS_MAX:
        least = -(-size // BLOCKS_MAX)
        fitting = -(-least // _STEP) * _STEP
        raise InvalidArgument(
            f"{path}: {size} bytes are {count} blocks of {block_size} bytes, and a file has at "
            f"most {BLOCKS_MAX}: with a block size of {scaled(fitting)} ({fitting}) it fits"
        )


def check_room(
    path: str, size: int, opened: OpenedFile, nodes: Sequence[DataNodeStatus]
) -> None:
    """Raise DiskFull when the datanodes have not got the room for all replicas of a file."""
    free = [node.stats.remaining for node in nodes if node.state != DEAD]
    copies = min(opened.replication, len(free))
    # A datanode has one replica of a block at most, so never more than the whole file.
    room = sum(min(remaining, size) for remaining in free)
    if copies * size > room:
        raise DiskFull(
            f"{path}: {copies} replicas of {scaled(size, 'B')} do not fit into the "
            f"{scaled(sum(free), 'B')} that {len(free)} datanodes have left"
        )


def check_quotas(path: str, size: int, opened: OpenedFile, usages: Iterable[QuotaUsage]) -> None:
    """Raise QuotaExceeded when a directory above may not hold so many bytes more."""
    for usage in usages:
        wanted = replicated(opened.replication).space(size)
        if 0 <= usage.space_quota < usage.space + wanted:
            raise QuotaExceeded(
                f"{path}: The DiskSpace quota of a directory above is exceeded: quota = "
                f"{usage.space_quota} B = {scaled(usage.space_quota, 'B')} but diskspace consumed "
                f"= {usage.space + wanted} B = {scaled(usage.space + wanted, 'B')}"
            )
