"""What is asked of all members of the metadata quorum at once, by a namenode that leads or not."""

from typing import Any, Optional, Tuple

from data_service.protocol.availability_calls import MemberRow
from metadata_service.asking import Heard, ask_all
from metadata_service.calls import MemberCalls
from metadata_service.lane import Ways
from metadata_service.quorum import MemberStatus
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import DfsError

ANSWER_SECONDS = 2.0
"""How long a member may take to say how it fares."""

PARTING_SECONDS = 0.5
"""How long a leader that goes waits for the members to hear of it."""

_CALLS = calls_of(MemberCalls)


def release(ways: Ways, epoch: int) -> None:
    """The leader of this epoch answers nobody any more: others may claim at once. A member that
    does not hear it finds out by the silence."""
    _ask_all(ways, "release", (epoch,), PARTING_SECONDS)


def ask_members(ways: Ways, known_txid: int) -> Tuple[MemberRow, ...]:
    """How each member fares; `known_txid` is the last edit that the asking namenode knows of."""
    heard = _ask_all(ways, "status", (), ANSWER_SECONDS)
    decide = [one for one in heard.answers.values() if one.configuration.sets]
    newest = max([known_txid, *(one.last.txid for one in decide)])
    return tuple(
        _row(address, heard.answers.get(address), heard.errors.get(address), newest)
        for address in ways.addresses
    )


def _ask_all(ways: Ways, name: str, args: Tuple[Any, ...], seconds: float) -> Heard:
    return ask_all(ways, ways.addresses, _CALLS[name], args, seconds, lambda answers: False)


def _row(
    address: str, status: Optional[MemberStatus], error: Optional[DfsError], newest: int
) -> MemberRow:
    if status is None:
        reason = error.message if error is not None else "does not answer"
        return MemberRow(address, "", reason, 0, 0, 0, 0, 0, 0.0, 0.0, False)
    lag = max(0, newest - status.last.txid)
    return MemberRow(
        address, status.member_id, status.state, status.promised, status.log_epoch,
        status.last.txid, status.applied.txid, lag, 0.0, 0.0, status.room,
    )  # fmt: skip
