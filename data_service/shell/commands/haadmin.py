"""haadmin: which namenode leads, having another one lead, and how the metadata services fare."""

import time
from contextlib import suppress
from typing import Callable, Dict, List, NamedTuple, Tuple

from data_service.filesystem.name_nodes import NameNodes
from data_service.protocol.availability_calls import ACTIVE, MemberRow
from data_service.shell.failures import UsageError
from data_service.shell.formats import columns
from data_service.shell.session import Session
from metadata_service.ailments import FOREIGN
from zookeeper.fabric.errors import DfsError, InvalidArgument, Unavailable
from zookeeper.fabric.settings import Address

TAKE_OVER_SECONDS = 60.0
"""How long the one that shall lead may take: a dead leader must be missed first, and one that did
not stand by in memory has all names to load."""

READY_SECONDS = 3.0
"""How long one that stands by may be about to be ready: news are on their way to it."""

_PAUSE_SECONDS = 0.1


class _Asked(NamedTuple):
    """What a command line names: namenodes, as they are called there, and their addresses; and
    whether one shall lead that is not ready to."""

    session: Session
    name_nodes: NameNodes
    names: List[str]
    addresses: List[Address]
    forced: bool


def haadmin(session: Session, words: List[str]) -> None:
    """Ask or tell single namenodes."""
    action, names = (words[0], words[1:]) if words else ("", [])
    if action in ("-transitionToActive", "-transitionToStandby", "-transitionToObserver"):
        session.complain(f"{action[1:]}: a majority of the metadata services decides who leads, so "
                         "that never two do: use -failover")  # fmt: skip
        return
    if action not in _ACTIONS:
        raise UsageError(f"{action[1:]}: Unknown command" if action else "expected what to do")
    forced = "--forceactive" in names
    # A leader that is gone is fenced here in any case.
    names = [name for name in names if name not in ("--forcefence", "--forceactive")]
    count, perform = _ACTIONS[action]
    if len(names) != count:
        said = _MISCOUNTED.get(action, "incorrect number of arguments")
        raise UsageError(f"{action[1:]}: {said}")
    with session.filesystem.name_nodes() as name_nodes:
        try:
            addresses = [name_nodes.named(name) for name in names]
        except InvalidArgument as error:
            session.complain(f"Illegal argument: {error.message}")
            return
        try:
            perform(_Asked(session, name_nodes, names, addresses, forced))
        except DfsError as error:
            session.complain(f"Operation failed: {error.message}")


def _state(asked: _Asked) -> None:
    asked.session.out.line(asked.name_nodes.state(asked.addresses[0]).state)


def _all_states(asked: _Asked) -> None:
    for address in asked.name_nodes.addresses:
        try:
            told = asked.name_nodes.state(address).state
        except DfsError as error:
            told = f"Failed to connect: {error.message}"
        asked.session.out.line(f"{address!s:50} {told:10}")


def _health(asked: _Asked) -> None:
    trouble = asked.name_nodes.state(asked.addresses[0]).trouble
    if trouble:
        asked.session.complain(f"Health check failed: {asked.names[0]} {trouble}")


def _fail_over(asked: _Asked) -> None:
    trouble = _cannot_lead(asked)
    if trouble:
        asked.session.complain(f"Failover failed: {trouble}")
        return
    chosen = asked.addresses[1]
    deadline = time.monotonic() + TAKE_OVER_SECONDS
    while asked.name_nodes.state(chosen).state != ACTIVE:
        if time.monotonic() > deadline:
            asked.session.complain(f"Failover failed: {asked.names[1]} did not take over within "
                                   f"{TAKE_OVER_SECONDS:g} s")  # fmt: skip
            return
        _clear_the_way(asked.name_nodes, chosen)
        time.sleep(_PAUSE_SECONDS)
    asked.session.out.line(f"Failover from {asked.names[0]} to {asked.names[1]} successful")


def _cannot_lead(asked: _Asked) -> str:
    """Why the second one shall not take the place of the one that leads, for a person; or empty."""
    former, chosen = asked.addresses
    name_nodes, ready_by = asked.name_nodes, time.monotonic() + READY_SECONDS
    try:
        found = name_nodes.state(chosen)
        if found.state == ACTIVE or former == chosen:
            return "Can't failover to an active service"
        # Where nobody leads, one that is not ready is better than none.
        if asked.forced or not any(_leads(name_nodes, one) for one in name_nodes.addresses):
            return ""
        while found.trouble and time.monotonic() < ready_by:
            time.sleep(_PAUSE_SECONDS)
            found = name_nodes.state(chosen)
    except Unavailable:
        return f"Unable to get service state for NameNode at {chosen}"
    if not found.trouble:
        return ""
    name = asked.names[1]
    return (f"{name} is not ready to become active: it {found.trouble}. The one that leads goes "
            f"on. Ask again when `haadmin -checkHealth {name}` says nothing, or have it lead all "
            "the same by --forceactive")  # fmt: skip


def _members(asked: _Asked) -> None:
    """As the one that leads finds them, which knows best; else as any other does."""
    rows = _first_answer(asked.name_nodes, _leader_first(asked.name_nodes))
    cells = [[head for head, _, _ in _MEMBER_COLUMNS]]
    cells += [_member(row) for row in rows]
    right = [place for place, (_, _, is_number) in enumerate(_MEMBER_COLUMNS) if is_number]
    for line in columns(cells, right):
        asked.session.out.line(line)
    for row in rows:
        if row.words:
            asked.session.out.line(f"The metadata service {row.address} {row.words}. {row.advice}")
    for line in _led_by_nobody(asked.name_nodes):
        asked.session.out.line(line)


def _led_by_nobody(name_nodes: NameNodes) -> List[str]:
    """What keeps each namenode from leading, if none does: nobody takes members in then."""
    lines = []
    for address in name_nodes.addresses:
        with suppress(Unavailable):
            found = name_nodes.state(address)
            if found.state == ACTIVE:
                return []
            lines.append(f"The namenode {address} does not lead: it "
                         f"{found.trouble or 'stands by'}.")  # fmt: skip
    return lines


def _member(row: MemberRow) -> List[str]:
    """Of one that does not answer its address and why: the rest would be from nowhere."""
    known = (row.address, row.state)
    cells = [show(row) for _, show, _ in _MEMBER_COLUMNS]
    return cells if row.member_id else [cell if cell in known else "-" for cell in cells]


def _lag(row: MemberRow) -> str:
    """How many edits it lacks; edits of another record are not to be counted."""
    return "-" if row.state == FOREIGN else str(row.lag)


def _verify(asked: _Asked) -> None:
    """By the one that leads; the others refuse, and say so."""
    session, name_nodes = asked.session, asked.name_nodes
    known, differing, silent = name_nodes.compare_members(_leader_first(name_nodes)[0])
    for address in silent:
        session.complain(f"{address}: could not tell what its rows are: see its log")
    for address in differing:
        session.complain(f"{address}: its rows differ from those of the others"
                         + (": it fetches them anew" if known else ""))
    if not known and differing:
        session.complain("no majority of the metadata services has the same rows")
    elif not known:
        session.complain("too few metadata services could tell what their rows are to compare "
                         "them: see that more than half of them answer, and ask again")
    elif not (differing or silent):
        session.out.line("all metadata services have the same rows")


def _first_answer(
    name_nodes: NameNodes, addresses: List[Address]
) -> Tuple[MemberRow, ...]:
    *others, last = addresses
    for address in others:
        with suppress(Unavailable):
            return name_nodes.members(address)
    return name_nodes.members(last)


def _clear_the_way(name_nodes: NameNodes, chosen: Address) -> None:
    """Have whoever leads, and is not the chosen one, hand over: of several that stand by, another
    may have been faster."""
    for address in name_nodes.addresses:
        if address != chosen and _leads(name_nodes, address):
            name_nodes.hand_over(address)


def _leader_first(name_nodes: NameNodes) -> List[Address]:
    return sorted(name_nodes.addresses, key=lambda one: not _leads(name_nodes, one))


def _leads(name_nodes: NameNodes, address: Address) -> bool:
    try:
        return name_nodes.state(address).state == ACTIVE
    except Unavailable:
        return False


_MEMBER_COLUMNS: Tuple[Tuple[str, Callable[[MemberRow], str], bool], ...] = (
    ("address", lambda row: row.address, False),
    ("id", lambda row: row.member_id, False),
    ("promised", lambda row: str(row.promised), True),
    ("log epoch", lambda row: str(row.log_epoch), True),
    ("last", lambda row: str(row.last_txid), True),
    ("applied", lambda row: str(row.applied_txid), True),
    ("lag", _lag, True),
    ("p50 ms", lambda row: f"{row.median_ms:.1f}", True),
    ("p99 ms", lambda row: f"{row.slow_ms:.1f}", True),
    ("room", lambda row: "yes" if row.room else "no", False),
    ("state", lambda row: row.state, False),
)
"""Head, what stands below it, and whether that is a number."""

_MISCOUNTED = {
    "-failover": "incorrect arguments: name the one that leads and the one that shall, as in "
                 "-failover nn0 nn1",
}  # fmt: skip
"""What is said of too few names, or too many, where HDFS has its own words."""

_ACTIONS: Dict[str, Tuple[int, Callable[[_Asked], None]]] = {
    "-getServiceState": (1, _state),
    "-getAllServiceState": (0, _all_states),
    "-checkHealth": (1, _health),
    "-failover": (2, _fail_over),
    "-members": (0, _members),
    "-verify": (0, _verify),
}
"""How many namenodes each names, and what does it."""
