"""What a new leader concludes from the answers of the members: whose log is the record, and what
each of them is given.

Theory of operation. The members that promised the new epoch, a majority of every set of the newest
configuration among them, are at least one of any majority that decided an edit before. The log of
the latest epoch, and among those the longest, therefore has all that was decided: it becomes the
record, and every member adopts it. The epoch goes first: a longer log of an earlier epoch may hold
edits that a later leader has cut off.

A member that is damaged says nothing, nor does one whose disk went back in time: another was told
(`witness`) that it had acknowledged more than it has. One that has no record yet, or does not know
that it is a member by now, counts if the newest configuration names it: its identity is in its
disk, so it never had another.
"""

import hashlib
from collections import Counter
from math import inf
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

from metadata_service.epochs import is_believable
from metadata_service.leader.ring import EDITS_MAX, Ring
from metadata_service.quorum import (
    BLANK,
    DAMAGED,
    NOBODY,
    Configuration,
    MemberStatus,
    Place,
)
from zookeeper.fabric.errors import StartRefused

NAMED_MAX = 10
"""So many addresses are believed besides those of config.ini: two sets of five members have them,
and each is asked by a thread of its own."""

Answers = Mapping[str, MemberStatus]
"""What members told, by their addresses or by their ids."""


def next_epoch(answers: Answers, at_least: int) -> int:
    """The epoch to claim: later than any promised one, and `at_least` so late if that can be.

    A promise so far above that of most members that none of them would go there is left out: one
    member with such a promise would otherwise end all claims, and it is one that can be spared.
    """
    promised = sorted(status.promised for status in answers.values() if status.promised)
    most = promised[(len(promised) - 1) // 2] if promised else 0
    epoch = 1 + max([one for one in promised if is_believable(one, most)], default=0)
    return max(epoch, at_least) if is_believable(at_least, epoch) else epoch


def cluster_of(answers: Answers) -> str:
    """The cluster whose members answered; empty when all are blank. StartRefused when they are of
    several."""
    found = {
        status.cluster_id: address
        for address, status in answers.items()
        if status.state != BLANK
    }
    if len(found) > 1:
        places = ", ".join(f"{address} of {one}" for one, address in sorted(found.items()))
        raise StartRefused(
            f"the metadata_hosts keep records of different clusters: {places}. Take the address "
            "that is not of this cluster out of metadata_hosts, or empty its metadata_dir"
        )
    return next(iter(found), "")


def first_configuration(hosts: Sequence[str], answers: Answers) -> Optional[Configuration]:
    """The configuration that a new cluster begins with: of all hosts, when all of them are there
    and none has a record; else None."""
    if any(answers[host].state != BLANK if host in answers else True for host in hosts):
        return None
    members = tuple([(answers[host].member_id, host) for host in hosts])
    return None if len(dict(members)) < len(members) else Configuration(1, (members,))


def first_cluster_id(configuration: Configuration) -> str:
    """The id of a cluster that begins with these members: who tries again finds the same."""
    text = "\n".join(sorted(configuration.ids)).encode("ascii")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def counted(answers: Answers) -> Dict[str, MemberStatus]:
    """By member ids, those whose word counts; `answers` are by address."""
    copies = Counter(status.member_id for status in answers.values())
    doubtful = contradicted(answers)
    return {
        status.member_id: status
        for status in answers.values()
        if status.state != DAMAGED
        and copies[status.member_id] == 1
        and status.member_id not in doubtful
    }


def contradicted(answers: Answers) -> Set[str]:
    """The members that another knows to have acknowledged more than they have."""
    stands = {s.member_id: (s.log_epoch, s.last.txid) for s in answers.values()}
    return {
        member_id
        for status in answers.values()
        for member_id, log_epoch, txid in status.witness
        if member_id != status.member_id
        and stands.get(member_id, (log_epoch, txid)) < (log_epoch, txid)
    }


def newest_configuration(members: Answers) -> Configuration:
    """Who decides, by those whose word counts: the configuration of the latest log."""
    known = [(status.log_epoch, status.configuration) for status in members.values()]
    return max(known, key=lambda one: (one[0], one[1].version), default=(0, NOBODY))[1]


def deciding(members: Answers, configuration: Configuration) -> Dict[str, MemberStatus]:
    """Those of these members, by their ids, that the configuration names."""
    ids = configuration.ids
    return {one: status for one, status in members.items() if one in ids}


def without_strangers(hosts: Sequence[str], answers: Answers) -> List[str]:
    """The hosts at which a promise is asked for: not those where a disk answered that, for all that
    anybody knows, never decided. It adopts the record of whoever leads; but a promise to one who
    comes to lead nothing would keep it from that until all are united in another epoch.

    One that decides no more is asked: it may be the only one that knows who does.
    """
    known = {one for status in answers.values() for one in status.configuration.ids}
    return [one for one in hosts if one not in answers or answers[one].member_id in known]


def addresses_of(answers: Answers, hosts: Sequence[str]) -> Tuple[str, ...]:
    """These hosts, and where else members are that those who answered know of."""
    named = [one for status in answers.values() for one in status.configuration.addresses]
    return tuple(dict.fromkeys((*hosts, *named)))[: len(hosts) + NAMED_MAX]


def latest(members: Answers) -> MemberStatus:
    """The member whose log is the record. ValueError when there is none."""
    return max(members.values(), key=lambda status: (status.log_epoch, status.last.txid))


def may_be_decided(configuration: Configuration, members: Answers) -> float:
    """Up to which edit some majority may have stored a log, whatever those have that did not
    answer; `members` are by their ids.

    Who has stored an edit that was decided never has a shorter log again. So what lies behind is
    only on so few that nobody was ever told that it is done.
    """
    upto = 0.0
    for some in configuration.sets:
        ends = sorted((members[one].last.txid if one in members else inf for one, _ in some))
        upto = max(upto, ends[(len(ends) - 1) // 2])
    return upto


def spared(configuration: Configuration, members: Answers, log: MemberStatus) -> int:
    """Where the record ends that is made of this log. What cannot have been decided is left out
    while a disk is full: who has no room for it could not adopt it, and nobody would lead then,
    not even for those who only read."""
    if all(status.room for status in members.values()):
        return log.last.txid
    known = max(max(status.applied.txid, status.decided) for status in members.values())
    return int(min(log.last.txid, max(known, may_be_decided(configuration, members))))


def bases(members: Answers, log: MemberStatus) -> List[Place]:
    """Where the part of this log can begin that has to be read, the earliest first: at what a
    member has applied, unless that is longer ago than edits are kept for anybody."""
    kept_behind = log.first_txid - 1 if log.first_txid else log.last.txid
    earliest = max(kept_behind, log.last.txid - EDITS_MAX)
    applied = [status.applied for status in members.values()]
    known = {place for place in applied if earliest <= place.txid <= log.last.txid}
    return sorted(known | {log.applied})


def record_of(
    log: MemberStatus, begins: Sequence[Place], lines: Sequence[str], upto: int
) -> Optional[Ring]:
    """The record, from all lines of this log behind the first of the `bases`, up to this edit;
    None when they are not what the member told of before: then it is damaged."""
    for base in begins:
        behind = lines[base.txid - begins[0].txid :]
        record = Ring(base, behind)
        if record.last == log.last:
            return Ring(base, behind[: upto - base.txid]) if upto < log.last.txid else record
    return None


def resumes_at(status: MemberStatus, record: Ring) -> Optional[Place]:
    """Up to where a member's log is that of the record, so that what follows can be given to it.

    That is its end, or else what it has applied, which no leader can have cut off. None when that
    is not in the record as far as it is kept: then it lacks too much, or is not what it says.
    """
    for place in (status.last, status.applied):
        if record.has(place):
            return place
    return None
