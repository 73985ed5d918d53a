"""What clients and datanodes may ask of the namenode: checks of arguments, then the term's core."""

import time
from typing import Any, Tuple

from data_service.namenode.dates import wall_ms
from data_service.namenode.namespace.retries import Op
from data_service.namenode.calls.writers import WriterCalls
from data_service.protocol.blocks import unpack_blocks
from data_service.protocol.nodes import NodeInfo, NodeStats, Registration
from data_service.protocol.validation import (
    check_blocks,
    check_integers,
    check_label,
    check_list,
    check_port,
    check_strings,
    has_fields,
)
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.frames import plain
from zookeeper.fabric.kinds import pack_rows
from zookeeper.fabric.rpc import waits

HEARTBEAT_WAIT_SECONDS_MAX = 60.0


class NameNodeService(WriterCalls):
    """All calls of one connection."""

    # The namespace.

    def exposed_stat(self, path: str) -> Tuple[Any, ...]:
        """FileStatus of a path."""
        check_strings(path)
        return self._read(lambda state: state.reading.stat(self._caller, path))

    def exposed_access(self, path: str, bits: int) -> bool:
        """Whether the caller may do all of `bits` to a path: 4 read, 2 write, 1 execute."""
        check_strings(path)
        check_integers(bits)
        return self._read(lambda state: state.reading.access(self._caller, path, bits))

    def exposed_list(self, path: str, after: str, limit: int) -> Tuple[bytes, bool]:
        """A page of FileStatus rows behind the name `after`, and whether more follow."""
        check_strings(path, after)
        check_integers(limit)
        rows, more = self._read(
            lambda state: state.reading.list(self._caller, path, after, limit)
        )
        return pack_rows(rows), more

    def exposed_mkdir(self, op: Op, path: str, make_parents: bool, mode: int) -> None:
        """Make a directory."""
        check_strings(path)
        check_integers(mode)
        op = self._own_call(op, path, make_parents, mode)
        self._change(
            lambda state: state.mkdir(
                self._caller, op, path, bool(make_parents), mode, wall_ms(), time.monotonic()
            ),
            op,
        )

    def exposed_delete(self, op: Op, path: str, recursive: bool) -> bool:
        """Delete a path; whether there was one."""
        check_strings(path)
        op = self._own_call(op, path, recursive)
        return self._change(
            lambda state: state.delete(self._caller, op, path, bool(recursive), wall_ms()), op
        )

    def exposed_rename(self, op: Op, source: str, destination: str) -> None:
        """Rename; nothing may be at the destination."""
        check_strings(source, destination)
        op = self._own_call(op, source, destination)
        self._change(
            lambda state: state.rename(
                self._caller, op, source, destination, wall_ms(), time.monotonic()
            ),
            op,
        )

    def exposed_set_replication(self, op: Op, path: str, replication: int) -> None:
        """Raise or lower how many replicas a file shall have."""
        check_strings(path)
        check_integers(replication)
        op = self._own_call(op, path, replication)
        self._change(lambda state: state.set_replication(self._caller, op, path, replication), op)

    def exposed_set_mode(self, op: Op, path: str, mode: int) -> None:
        """Change the permission bits."""
        check_strings(path)
        check_integers(mode)
        op = self._own_call(op, path, mode)
        self._change(lambda state: state.set_mode(self._caller, op, path, mode), op)

    def exposed_set_owner(self, op: Op, path: str, owner: str, group: str) -> None:
        """Change owner and group; an empty one stays as it is."""
        check_strings(path, owner, group)
        op = self._own_call(op, path, owner, group)
        self._change(lambda state: state.set_owner(self._caller, op, path, owner, group), op)

    def exposed_set_times(self, op: Op, path: str, mtime_ms: int, atime_ms: int) -> None:
        """Change the times; -1 leaves one as it is."""
        check_strings(path)
        times = [None if time_ms == -1 else time_ms for time_ms in (mtime_ms, atime_ms)]
        check_integers(*(time_ms for time_ms in times if time_ms is not None))
        op = self._own_call(op, path, mtime_ms, atime_ms)
        self._change(lambda state: state.set_times(self._caller, op, path, *times), op)

    def exposed_set_quota(
        self, op: Op, path: str, name_quota: int, space_quota: int
    ) -> None:
        """Set (a number), clear (-1) or leave (2^63-1) the quotas of a directory."""
        check_strings(path)
        # The core says in HDFS's words which numbers cannot be quotas.
        check_integers(*(abs(q) if type(q) is int else q for q in (name_quota, space_quota)))
        op = self._own_call(op, path, name_quota, space_quota)
        self._change(
            lambda state: state.set_quota(self._caller, op, path, name_quota, space_quota), op
        )

    def exposed_quota_usage(self, path: str) -> Tuple[Any, ...]:
        """QuotaUsage of a path."""
        check_strings(path)
        return self._read(lambda state: state.reading.quota_usage(self._caller, path))

    def exposed_content_summary(self, path: str) -> Tuple[Any, ...]:
        """ContentSummary of a tree."""
        check_strings(path)
        return self._read(lambda state: state.reading.content_summary(self._caller, path))

    def exposed_block_locations(self, path: str, offset: int, length: int) -> Tuple[Any, ...]:
        """Locations of a range of a file."""
        check_strings(path)
        check_integers(offset, length)
        return self._read(
            lambda state: state.reading.block_locations(
                self._caller, path, offset, length, wall_ms()
            )
        )

    def exposed_fsck(self, path: str, after: str, limit: int) -> Tuple[bytes, bool]:
        """A page of FsckRow rows behind the path `after`, and whether more follow."""
        check_strings(path, after)
        check_integers(limit)
        rows, more = self._read(
            lambda state: state.reading.fsck(self._caller, path, after, limit)
        )
        return pack_rows(plain(tuple(rows))), more

    # Datanodes.

    def exposed_register(self, info: Tuple[Any, ...]) -> Tuple[Any, ...]:
        """A datanode introduces itself (NodeInfo); the answer is its Registration."""
        self._require_datanode()
        if not has_fields(info, NodeInfo):
            raise InvalidArgument("a registration has other fields")
        node = NodeInfo(*info)
        for name in ("node_id", "incarnation", "host", "rack"):
            check_label(getattr(node, name), name)
        for name in ("cluster_id", "version"):
            if getattr(node, name) != "":
                check_label(getattr(node, name), name)
        check_port(node.port)
        term = self._term_of()
        session = term.tell_blocks(lambda blocks: blocks.register(node, time.monotonic()))
        return Registration(session, term.journal.epoch, term.journal.cluster_id)

    def exposed_epoch_known(self, epoch: int) -> None:
        """A datanode does not obey this namenode: it has obeyed one of this later epoch."""
        self._require_datanode()
        check_integers(epoch)
        self._term_of().outlive(epoch)

    @waits
    def exposed_heartbeat(
        self, session: int, stats: Tuple[Any, ...], wait_seconds: float
    ) -> Tuple[Any, ...]:
        """(epoch, commands); waits up to `wait_seconds` for commands."""
        self._require_datanode()
        check_integers(session, *check_list(stats))
        if not has_fields(stats, NodeStats) or type(wait_seconds) is not float:
            raise InvalidArgument("a heartbeat has other fields")
        wait = min(max(0.0, wait_seconds), HEARTBEAT_WAIT_SECONDS_MAX)
        return self._term_of().heartbeat(session, NodeStats(*stats), wait, self.gone)

    def exposed_block_report(
        self, session: int, report_id: int, part: int, parts: int, payload: bytes
    ) -> None:
        """One part of a full block report."""
        self._require_datanode()
        check_integers(session, report_id, part, parts)
        if type(payload) is not bytes or len(payload) % 24:
            raise InvalidArgument("a block report is 24 bytes a block")
        term = self._term_of()
        # Whose session is over is refused before anything is unpacked for it.
        term.ask_blocks(lambda blocks: blocks.require_session(session))
        reported = list(unpack_blocks(payload))
        term.tell_blocks(
            lambda blocks: blocks.block_report(
                session, report_id, part, parts, reported, time.monotonic()
            )
        )

    def exposed_block_changes(
        self,
        session: int,
        received: Tuple[Any, ...],
        deleted: Tuple[Any, ...],
        corrupt: Tuple[Any, ...],
        verified: Tuple[Any, ...] = (),
    ) -> None:
        """What happened to single replicas of a datanode, and which it has verified."""
        self._require_datanode()
        check_integers(session)
        came, went = check_blocks(received), check_blocks(deleted)
        bad, good = check_blocks(corrupt), check_blocks(verified)
        self._term_of().tell_blocks(
            lambda blocks: blocks.block_changes(session, came, went, bad, time.monotonic(), good)
        )

    def exposed_copy_failed(
        self, session: int, block_id: int, unreached: Tuple[Any, ...] = ()
    ) -> None:
        """A datanode could not make a copy that it was told to make: not reach these targets."""
        self._require_datanode()
        check_integers(session, block_id)
        check_strings(*check_list(unreached))
        self._term_of().tell_blocks(
            lambda blocks: blocks.copy_failed(session, block_id, time.monotonic(), unreached)
        )
