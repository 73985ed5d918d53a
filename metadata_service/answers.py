"""What a metadata service answers, looked at before the namenode believes it.

Another program at its address, or a broken service, must neither end a thread of the namenode nor
be remembered: an epoch of twenty digits, handed on, would be written down by every datanode.
"""

from typing import Any, NamedTuple, Tuple

from zookeeper.fabric.errors import ProtocolViolation

NUMBER_MAX = 2**63 - 1


class Status(NamedTuple):
    """What `status` tells: the newest claimed epoch, the last durable txid, room for edits."""

    cluster_id: str
    epoch: int
    last_txid: int
    room: bool


def status_of(answer: object) -> Status:
    """A Status; raises ProtocolViolation."""
    _require(type(answer) is tuple and len(answer) == len(Status._fields), "a status")
    status = Status._make(answer)  # type: ignore[arg-type]
    named = type(status.cluster_id) is str and type(status.room) is bool
    _require(named and _is_number(status.epoch) and _is_number(status.last_txid), "a status")
    return status


def epoch_of(answer: object) -> int:
    """An epoch that was claimed; raises ProtocolViolation."""
    _require(_is_number(answer) and answer != 0, "an epoch")
    return answer  # type: ignore[return-value]


def appended_of(answer: Any) -> Tuple[int, bool]:
    """(last durable txid, is there room); raises ProtocolViolation."""
    _require(type(answer) is tuple and len(answer) == 2, "an append")
    durable, room = answer
    _require(_is_number(durable) and type(room) is bool, "an append")
    return durable, room


def page_of(answer: object) -> bytes:
    """A page of lines, not taken apart; raises ProtocolViolation."""
    _require(type(answer) is bytes, "the question for a page")
    return answer  # type: ignore[return-value]


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= NUMBER_MAX


def _require(right: bool, what: str) -> None:
    if not right:
        raise ProtocolViolation(f"the metadata service answered {what} with something odd")
