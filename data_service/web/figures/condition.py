"""What is wrong with a cluster, in sentences, and what a person can do about it."""

from typing import AbstractSet, Iterator, List, NamedTuple, Sequence, Tuple

from data_service.protocol.health import (
    DEAD,
    LIVE,
    STALE,
    AilingMember,
    ClusterStatus,
    DataNodeStatus,
)
from data_service.web.figures.sightings import Look, Sighting
from zookeeper.fabric.identity import DATA_NODE, METADATA, NAME_NODE, ZOOKEEPER

GOOD, WARNING, CRITICAL = "good", "warning", "critical"
"""Severities: nothing to do; something is amiss, or will be; somebody is kept from his files."""

ROOM_SHORT, ROOM_CRITICAL = 0.10, 0.03
"""Parts of the capacity; less than that should be left for nobody."""

NAMES_MAX = 3
"""How many daemons a sentence names."""

ABSENT = "absent"
"""A datanode of config.ini that has not reported to the namenode since that was started."""


class Finding(NamedTuple):
    """One thing that is wrong: a sentence, and another one about what to do."""

    severity: str
    sentence: str
    advice: str


def findings(look: Look) -> List[Finding]:
    """All that is wrong, the worst first; one that is GOOD when nothing is."""
    found: List[Finding] = [*_of_daemons(look)]
    leader = look.leader
    if leader is not None and leader.status is not None:
        found += _of_datanodes(leader.nodes, absent(look), _silent(look.of(DATA_NODE)))
        found += _of_blocks(leader.status, leader.nodes)
        found += _of_room(leader.status)
        found += _of_safe_mode(leader.status)
        found += _of_members(leader.ailing, {*_silent(look.of(METADATA))})
    # Those of one severity stay in the order in which they were looked for.
    found.sort(key=lambda finding: finding.severity != CRITICAL)
    return found or [_all_is_well(look)]


def absent(look: Look) -> Tuple[Sighting, ...]:
    """The datanodes of config.ini that do not answer, and of which the namenode knows nothing."""
    leader = look.leader
    if leader is None or any(not node.host for node in leader.nodes):
        return ()
    known = {node.address for node in leader.nodes}
    return tuple([one for one in look.of(DATA_NODE) if not one.up and one.address not in known])


def counted(count: int, singular: str, plural: str = "") -> str:
    """A number and its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def _of_daemons(look: Look) -> Iterator[Finding]:
    name_nodes = look.of(NAME_NODE)
    silent = _silent(name_nodes)
    if name_nodes and len(silent) == len(name_nodes):
        yield Finding(CRITICAL, f"{_subject('namenode', silent)} not answer.",
                      "Start one of them, or see in its log why it does not answer."
                      if len(silent) > 1 else
                      "Start it, or see in its log why it does not answer.")
    elif look.leader is None and name_nodes:
        yield Finding(CRITICAL, "No namenode leads: files can be neither read nor written.",
                      "One that has just started needs a moment; if it stays so, see its log, "
                      "and whether zookeeper and metadata service run.")
    elif silent:
        yield Finding(WARNING, f"{_subject('namenode', silent)} not answer: there are fewer to "
                      "take over from the one that leads.", "Start it.")
    members = look.of(METADATA)
    silent = _silent(members)
    if 2 * len(silent) > len(members):
        yield Finding(CRITICAL, f"{_subject('metadata service', silent)} not answer: nothing "
                      "can be changed.", "Start it, or see in its log why it does not answer.")
    elif silent:
        yield Finding(WARNING, f"{_subject('metadata service', silent)} not answer: the others "
                      "keep the record, as long as they are more than half of all.",
                      "Start it; it learns from the others what it missed.")
    zookeepers = look.of(ZOOKEEPER)
    silent = _silent(zookeepers)
    if silent:
        fewer = len(silent) < len(zookeepers)
        yield Finding(WARNING, f"{_subject('zookeeper', silent)} not answer: the cluster goes on, "
                      f"{'with the others' if fewer else 'but takes no datanode for dead'}.",
                      "Start it.")


def _of_members(ailing: Sequence[AilingMember], silent: AbstractSet[str]) -> Iterator[Finding]:
    """What the namenode that leads finds wrong with metadata services, but for those which do not
    answer this gateway either: of them it was told."""
    for one in ailing:
        if one.address not in silent:
            yield Finding(WARNING, f"The metadata service {one.address} {one.words}.", one.advice)


def _of_datanodes(
    nodes: Sequence[DataNodeStatus], missed: Sequence[Sighting], silent: Sequence[str]
) -> Iterator[Finding]:
    live, stale, dead = [
        [node for node in nodes if node.state == state] for state in (LIVE, STALE, DEAD)
    ]
    if not live and not stale:
        yield Finding(CRITICAL, "No datanode is there: files can be neither read nor written.",
                      "Start the datanodes.")
        return
    if dead:
        yield Finding(WARNING, f"{_of_all(len(dead), len(nodes))} dead{_named(dead)}.",
                      "Start it; meanwhile its blocks are copied from the others.")
    if stale:
        # Who does not answer the gateway either is hardly busy: the process has ended.
        gone = {node.address for node in stale} <= {*silent}
        yield Finding(WARNING, f"{_of_all(len(stale), len(nodes))} silent{_named(stale)}.",
                      "It does not answer this gateway either: start it, or see in its log why it "
                      "does not answer." if gone else
                      "It may only be busy; if it stays so, see its log and its network.")
    if missed:
        names = _list([one.address for one in missed])
        yield Finding(WARNING, f"{counted(len(missed), 'datanode')} of config.ini "
                      f"{_verb(len(missed), 'has', 'have')} not reported: {names}.",
                      "Start it, or take it out of config.ini.")
    failed = sum(node.stats.failed_volumes for node in nodes if node.state != DEAD)
    if failed:
        yield Finding(WARNING, f"{counted(failed, 'directory', 'directories')} of datanodes "
                      f"{_verb(failed, 'has', 'have')} failed.",
                      "See on the page of datanodes which; replace the disk, and restart.")


def _of_blocks(status: ClusterStatus, nodes: Sequence[DataNodeStatus]) -> Iterator[Finding]:
    if status.missing:
        gone = [node for node in nodes if node.state == DEAD]
        yield Finding(
            CRITICAL,
            f"{counted(status.missing, 'block')} {_verb(status.missing, 'is', 'are')} missing: "
            "no datanode that lives has a replica.",
            f"Start the datanodes that are dead{_named(gone)}." if gone else
            "`fsck / -list-corruptfileblocks` names the files; store them anew.",
        )  # fmt: skip
    if status.corrupt:
        yield Finding(
            CRITICAL,
            f"{counted(status.corrupt, 'block')} {_verb(status.corrupt, 'is', 'are')} corrupt: "
            "only damaged replicas are left.",
            "`fsck / -list-corruptfileblocks` names the files; store them anew, or save what is "
            "left of them by `fsck / -move`.",
        )
    if status.under_replicated and not status.safe_mode:
        copied = f"; {status.pending_replication:,} of them are being copied"
        alone = f"; {status.urgent:,} of them {_verb(status.urgent, 'has', 'have')} only one left"
        yield Finding(
            WARNING,
            f"{counted(status.under_replicated, 'block')} "
            f"{_verb(status.under_replicated, 'has', 'have')} fewer replicas than wanted"
            f"{alone if status.urgent else ''}{copied if status.pending_replication else ''}.",
            "The cluster mends that by itself, if enough datanodes live and have room.",
        )


def _of_room(status: ClusterStatus) -> Iterator[Finding]:
    part = status.remaining / status.capacity if status.capacity else 1.0
    if part < ROOM_SHORT:
        full = part < ROOM_CRITICAL
        yield Finding(
            CRITICAL if full else WARNING,
            f"Room is short: {100 * part:.1f} % of the capacity is left.",
            "Delete what is not needed, or add a datanode.",
        )


def _of_safe_mode(status: ClusterStatus) -> Iterator[Finding]:
    if status.safe_mode:
        reason = f": {status.safe_mode_reason}" if status.safe_mode_reason else ""
        yield Finding(
            WARNING,
            f"Safe mode is on, and nothing can be changed{reason.rstrip('.')}.",
            "After a start it ends by itself; what an administrator began, "
            "`dfsadmin -safemode leave` ends.",
        )


def _all_is_well(look: Look) -> Finding:
    leader = look.leader
    if leader is None or leader.status is None:
        return Finding(GOOD, "All that was asked answers.", "")
    live = sum(node.state == LIVE for node in leader.nodes)
    blocks = leader.status.blocks
    kept = "there are no blocks yet" if not blocks else (
        "the only block has all its replicas" if blocks == 1 else
        f"all {blocks:,} blocks have all their replicas")  # fmt: skip
    return Finding(GOOD, f"All is well: {counted(live, 'datanode')} "
                   f"{_verb(live, 'lives', 'live')}, and {kept}.", "")  # fmt: skip


def _silent(sightings: Sequence[Sighting]) -> List[str]:
    """Who does not answer; one that lets nobody in is there."""
    return [one.address for one in sightings if not one.up and not one.barred]


def _subject(noun: str, addresses: Sequence[str]) -> str:
    several = len(addresses) > 1
    return f"The {noun}{'s' if several else ''} {_list(addresses)} {'do' if several else 'does'}"


def _of_all(count: int, total: int) -> str:
    return f"{count} of {counted(total, 'datanode')} {_verb(count, 'is', 'are')}"


def _named(nodes: Sequence[DataNodeStatus]) -> str:
    names = [node.address for node in nodes if node.address]
    return f": {_list(names)}" if names else ""


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_MAX])
    more = len(names) - NAMES_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _verb(count: int, singular: str, plural: str) -> str:
    return singular if count == 1 else plural
