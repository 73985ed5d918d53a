"""How the members of the metadata quorum fare, asked at once, also by who does not lead."""

from typing import Iterable, Mapping, Optional, Sequence, Tuple

from data_service.protocol.availability_calls import MemberRow
from metadata_service.ailments import Ailment, Seen, ailment_of
from metadata_service.calls import MemberCalls
from metadata_service.leader.asking import ask_all
from metadata_service.leader.lane import Ways
from metadata_service.quorum import OK, STRANGER, MemberStatus
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import DfsError

ANSWER_SECONDS = 2.0
"""How long a member may take to say how it fares."""

_STATUS = calls_of(MemberCalls)["status"]


def ask_members(
    ways: Ways,
    known_txid: int,
    delays: Mapping[str, Tuple[float, float]],
    ailing: Sequence[Ailment] = (),
) -> Tuple[MemberRow, ...]:
    """How each member fares. A namenode that leads has its own word in it: `known_txid` is the last
    edit that it knows of, `delays` how long appends take at each address, mostly and at worst, in
    seconds, and `ailing` what it finds wrong with members. Another one has none of that."""
    heard = ask_all(ways, ways.addresses, _STATUS, (), ANSWER_SECONDS, lambda answers: False)
    newest = known_txid or _newest(heard.answers.values())
    told = {one.address: one for one in ailing}
    rows = []
    for address in ways.addresses:
        row, seen = _row(address, heard.answers.get(address), heard.errors.get(address), newest)
        ailment = told.get(address) or ailment_of(seen)
        median, slow = delays.get(address, (0.0, 0.0))
        row = row._replace(median_ms=1000 * median, slow_ms=1000 * slow)
        rows.append(row if ailment is None else _ailing(row, ailment))
    return tuple(rows)


def tell_who_waits(rows: Tuple[MemberRow, ...]) -> Tuple[MemberRow, ...]:
    """The same, told why a new disk is not admitted: config.ini says so."""
    return tuple(
        row._replace(state=f"{STRANGER}, admit_new_disks is no") if row.state == STRANGER else row
        for row in rows
    )


def _newest(statuses: Iterable[MemberStatus]) -> int:
    """The last edit of the record as a new leader would find it: a later epoch counts for more than
    a longer log, which may be that of before a restore."""
    places = [(one.log_epoch, one.last.txid) for one in statuses if one.configuration.sets]
    return max(places, default=(0, 0))[1]


def _row(
    address: str, status: Optional[MemberStatus], error: Optional[DfsError], newest: int
) -> Tuple[MemberRow, Seen]:
    if status is None:
        reason = error.message if error is not None else "does not answer"
        return MemberRow(address, "", reason, 0, 0, 0, 0, 0, 0.0, 0.0, False), Seen(
            address, "", reason)
    lag = max(0, newest - status.last.txid)
    row = MemberRow(
        address, status.member_id, status.state, status.promised, status.log_epoch,
        status.last.txid, status.applied.txid, lag, 0.0, 0.0, status.room,
    )  # fmt: skip
    return row, Seen(address, status.state, "", lag, status.room)


def _ailing(row: MemberRow, ailment: Ailment) -> MemberRow:
    """Its own word may be that all is well, as far as it knows."""
    state = ailment.word if row.state == OK else row.state
    return row._replace(state=state, words=ailment.words, advice=ailment.advice)
