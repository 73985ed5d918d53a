"""How the members of the metadata quorum fare, asked at once, also by who does not lead."""

from typing import Mapping, Optional, Tuple

from data_service.protocol.availability_calls import MemberRow
from metadata_service.calls import MemberCalls
from metadata_service.leader.asking import ask_all
from metadata_service.leader.lane import Ways
from metadata_service.quorum import STRANGER, MemberStatus
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import DfsError

ANSWER_SECONDS = 2.0
"""How long a member may take to say how it fares."""

_STATUS = calls_of(MemberCalls)["status"]


def ask_members(
    ways: Ways, known_txid: int, delays: Mapping[str, Tuple[float, float]]
) -> Tuple[MemberRow, ...]:
    """How each member fares; `known_txid` is the last edit that the asking namenode knows of, and
    `delays` how long appends take at each address, mostly and at worst, in seconds."""
    heard = ask_all(ways, ways.addresses, _STATUS, (), ANSWER_SECONDS, lambda answers: False)
    decide = [one for one in heard.answers.values() if one.configuration.sets]
    newest = max([known_txid, *(one.last.txid for one in decide)])
    return tuple(
        _row(address, heard.answers.get(address), heard.errors.get(address), newest)._replace(
            median_ms=1000 * delays.get(address, (0.0, 0.0))[0],
            slow_ms=1000 * delays.get(address, (0.0, 0.0))[1],
        )
        for address in ways.addresses
    )


def tell_who_waits(rows: Tuple[MemberRow, ...]) -> Tuple[MemberRow, ...]:
    """The same, told why a new disk is not admitted: config.ini says so."""
    return tuple(
        row._replace(state=f"{STRANGER}, admit_new_disks is no") if row.state == STRANGER else row
        for row in rows
    )


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
