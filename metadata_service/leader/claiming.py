"""How a namenode becomes the leader of the metadata quorum: promise, record, majority.

Theory of operation. It asks the members where they stand, has a majority promise it an epoch later
than all before, takes the log of the latest epoch among those for the record, and has a majority
adopt that. From then on all of the record is decided, and it writes behind it. What is concluded
from the answers is decided in `recovery.py`; who promised and who adopts is known here. A try that
fails is over: the next one claims another epoch, so that no two leaders ever share one.
"""

import time
from typing import AbstractSet, Dict, List, NamedTuple

from metadata_service.calls import MemberCalls
from metadata_service.edits import split_lines
from metadata_service.leader import recovery
from metadata_service.leader.asking import Heard, ask_all
from metadata_service.leader.lane import Ways
from metadata_service.leader.majorities import is_majority
from metadata_service.leader.member_change import MemberChange
from metadata_service.leader.member_keeper import MemberKeeper
from metadata_service.leader.members import Members, Reign
from metadata_service.leader.ring import Ring
from metadata_service.quorum import Configuration, MemberStatus
from zookeeper.fabric import logs
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import Busy, DfsError, Fenced, Unavailable

log = logs.get("members")

CALL_SECONDS = 5.0
"""How long a member may take to answer a question that it may have to sync for."""

PAGE_EDITS = 5_000

CALLS = calls_of(MemberCalls)
STATUS, CLAIM, UNDECIDED = CALLS["status"], CALLS["claim"], CALLS["undecided"]


class Promised(NamedTuple):
    """What a majority promised, and where those members stood then, by their ids."""

    reign: Reign
    configuration: Configuration
    members: Dict[str, MemberStatus]
    heard: Heard


def lead(
    ways: Ways, owner: str, at_least: int, seconds: float, bytes_max: int, silence_seconds: float,
    admits: bool = True,
) -> Members:  # fmt: skip
    """Claim an epoch, `at_least` so late, and return once a majority has adopted the record.

    `owner` is new for each try, bytes_max what a message may have, and `admits` whether another
    disk may take the place of a member's. Raises Fenced when another
    claimed at the same moment, Busy while the lease of another runs, StartRefused when the
    members are of different clusters, Unavailable when no majority of them can be had in time.
    """
    deadline = time.monotonic() + seconds
    promised = _promises(ways, owner, at_least, min(CALL_SECONDS, seconds))
    record = _record(ways, promised)
    doubtful = recovery.contradicted(promised.heard.answers)
    decided = max(status.decided for status in promised.members.values())
    members = Members(
        ways, promised.reign, promised.configuration, record,
        min(decided, record.last.txid), bytes_max, doubtful, silence_seconds,
    )  # fmt: skip
    for lane in members.lanes:
        MemberKeeper(members, lane).start()
    try:
        members.await_adoption(deadline)
    except BaseException:
        members.close()
        raise
    change = MemberChange(members, admits)
    if change.needed:
        change.start()
    log.info("members.led", epoch=promised.reign.epoch, last=record.last.txid)
    return members


def _promises(ways: Ways, owner: str, at_least: int, seconds: float) -> Promised:
    """Have a majority of whoever decides promise the next epoch."""
    asked = tuple(ways.addresses)
    heard = ask_all(ways, asked, STATUS, (), seconds, _enough)
    if not _enough(heard.answers):
        # Members that config.ini does not name any more decide until they have been replaced.
        asked = recovery.addresses_of(heard.answers, asked)
        if len(asked) > len(ways.addresses):
            heard = ask_all(ways, asked, STATUS, (), seconds, _enough)
    cluster_id = recovery.cluster_of(heard.answers)
    first = None
    if not cluster_id:
        first = recovery.first_configuration(ways.addresses, heard.answers)
        if first is None:
            begins = Unavailable(
                f"a new cluster begins with all of its members: {_why(ways, heard)}")
            raise next((one for one in heard.errors.values() if not one.retryable), begins)
        cluster_id = recovery.first_cluster_id(first)
    epoch = recovery.next_epoch(heard.answers, at_least)
    if 0 < epoch < at_least:
        log.error("epoch.implausible", epoch=at_least, known=epoch)
    reign = Reign(cluster_id, epoch, owner)

    def enough(answers: Dict[str, MemberStatus]) -> bool:
        return len(answers) == len(ways.addresses) if first is not None else _enough(answers)

    before = heard.answers
    if first is None:
        asked = tuple(recovery.without_strangers(asked, before))
    heard = ask_all(ways, asked, CLAIM, reign, seconds, enough)
    if first is not None:
        members = {one.member_id: one for one in heard.answers.values()}
        configuration = first
    else:
        members = recovery.counted(heard.answers)
        configuration = recovery.newest_configuration(members)
        members = recovery.deciding(members, configuration)
    if not is_majority(configuration, members.keys()):
        raise _refusal(ways, heard, before.keys() - set(asked))
    return Promised(reign, configuration, members, heard)


def _enough(answers: Dict[str, MemberStatus]) -> bool:
    members = recovery.counted(answers)
    return is_majority(recovery.newest_configuration(members), members.keys())


def _refusal(ways: Ways, heard: Heard, unasked: AbstractSet[str]) -> DfsError:
    """Why there is no majority of promises; at these addresses none was asked for."""
    for kind in (Fenced, Busy):
        for error in heard.errors.values():
            if isinstance(error, kind):
                return error
    for error in heard.errors.values():
        if not error.retryable:
            return error
    why = _why(ways, heard, unasked)
    return Unavailable(f"no majority of the members of the record answers: {why}")


def _why(ways: Ways, heard: Heard, strangers: AbstractSet[str] = frozenset()) -> str:
    """What each member that does not count is about, for a person."""
    counts = recovery.counted(heard.answers)
    doubtful = recovery.contradicted(heard.answers)
    found: List[str] = []
    for address in ways.addresses:
        status = heard.answers.get(address)
        if address in strangers:
            found.append(f"{address} has another disk than before")
        elif status is None:
            error = heard.errors.get(address)
            found.append(f"{address} {error.message if error else 'does not answer'}")
        elif status.member_id in doubtful:
            found.append(f"{address} has an old copy of its disk")
        elif status.member_id not in counts:
            twins = [one for one in _addresses_of(heard, status) if one != address]
            copied = f"and {' and '.join(twins)} are one member, of a copied directory"
            found.append(f"{address} {copied if twins else 'is ' + status.state}")
    return "; ".join(found) or "they know of others"


def _record(ways: Ways, promised: Promised) -> Ring:
    """The log that has everything decided, read from a member that can read its own."""
    members = dict(promised.members)
    trouble = ""
    while is_majority(promised.configuration, members.keys()):
        best = recovery.latest(members)
        address = _addresses_of(promised.heard, best)[0]
        begins = recovery.bases(members, best)
        try:
            lines = _lines(ways, address, promised.reign.epoch, begins[0].txid, best.last.txid)
        except Fenced:
            raise
        except DfsError as error:
            trouble = f"{address}: {error.message}"
        else:
            upto = recovery.spared(promised.configuration, members, best)
            record = recovery.record_of(best, begins, lines, upto)
            if record is not None:
                return record
            trouble = f"{address} reads another log than it told of"
            log.error("member.damaged", member=address, last=best.last.txid)
        del members[best.member_id]
    raise Unavailable(f"the record cannot be read from a majority of its members: {trouble}")


def _addresses_of(heard: Heard, status: MemberStatus) -> List[str]:
    """Where the member answered that told this; several, when its directory was copied."""
    return [one for one, told in heard.answers.items() if told.member_id == status.member_id]


def _lines(ways: Ways, address: str, epoch: int, behind: int, last: int) -> List[str]:
    """The edits of a member's log from behind this one up to `last`."""
    lines: List[str] = []
    while behind + len(lines) < last:
        args = (epoch, behind + len(lines), min(PAGE_EDITS, last - behind - len(lines)))
        page = split_lines(UNDECIDED.result(ways.perform(address, UNDECIDED, args, CALL_SECONDS)))
        if not page:
            break
        lines += page
    return lines

