"""The namenode's answers to datanodes, checked before anything is believed or written down.

Whoever answers at the namenode's address may be another process, or a broken one. What it says is
taken for an answer only if every value has the type and range that it must have.
"""

from typing import Any, Tuple

from data_service.protocol.nodes import Command, Registration
from data_service.protocol.validation import (
    check_blocks,
    check_integers,
    check_label,
    check_targets,
)
from metadata_service.epochs import check_told
from zookeeper.fabric.errors import InvalidArgument, ProtocolViolation
from zookeeper.fabric.kinds import decode

_COMMANDS_MAX = 10_000


def registration(answer: Any, known_epoch: int) -> Registration:
    """The answer to `register`, for a datanode that has obeyed `known_epoch`; ProtocolViolation."""
    try:
        session, epoch, cluster_id = _of_length(answer, len(Registration._fields))
        check_integers(session)
        check_label(cluster_id, "a cluster's id")
    except InvalidArgument as error:
        raise _malformed("register", error) from None
    check_told(epoch, known_epoch)
    return Registration(session, epoch, cluster_id)


def commands(answer: Any, known_epoch: int) -> Tuple[int, Tuple[Command, ...]]:
    """(epoch, commands) from the answer to `heartbeat`; ProtocolViolation."""
    try:
        epoch, rows = _of_length(answer, 2)
        if type(rows) is not tuple or len(rows) > _COMMANDS_MAX:
            raise InvalidArgument("expected a list of commands")
        ordered = tuple(map(_command, rows))
    except InvalidArgument as error:
        raise _malformed("heartbeat", error) from None
    check_told(epoch, known_epoch)
    return epoch, ordered


def _command(row: Any) -> Command:
    action, blocks, targets = _of_length(row, len(Command._fields))
    check_label(action, "an action")
    check_blocks(blocks)
    check_targets(targets)
    return decode(Command, row)


def _of_length(value: Any, length: int) -> Tuple[Any, ...]:
    if type(value) is not tuple or len(value) != length:
        raise InvalidArgument(f"expected {length} values")
    return value


def _malformed(call: str, error: InvalidArgument) -> ProtocolViolation:
    return ProtocolViolation(f"a malformed answer to {call}: {error.message}; is this a namenode?")
