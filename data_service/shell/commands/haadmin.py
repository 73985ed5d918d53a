"""haadmin: which namenode leads, having another one lead, and how the metadata services fare."""

import time
from contextlib import suppress
from typing import Callable, Dict, List, Tuple

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

_PAUSE_SECONDS = 0.1


def haadmin(session: Session, words: List[str]) -> None:
    """Ask or tell single namenodes."""
    action, names = (words[0], words[1:]) if words else ("", [])
    if action in ("-transitionToActive", "-transitionToStandby", "-transitionToObserver"):
        session.complain(f"{action[1:]}: a majority of the metadata services decides who leads, so "
                         "that never two do: use -failover")  # fmt: skip
        return
    if action not in _ACTIONS:
        raise UsageError(f"{action[1:]}: Unknown command" if action else "expected what to do")
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
            perform(session, name_nodes, names, addresses)
        except DfsError as error:
            session.complain(f"Operation failed: {error.message}")


def _state(
    session: Session, name_nodes: NameNodes, _names: List[str], addresses: List[Address]
) -> None:
    session.out.line(name_nodes.state(addresses[0]).state)


def _all_states(
    session: Session, name_nodes: NameNodes, _names: List[str], _addresses: List[Address]
) -> None:
    for address in name_nodes.addresses:
        try:
            told = name_nodes.state(address).state
        except DfsError as error:
            told = f"Failed to connect: {error.message}"
        session.out.line(f"{address!s:50} {told:10}")


def _health(
    session: Session, name_nodes: NameNodes, names: List[str], addresses: List[Address]
) -> None:
    trouble = name_nodes.state(addresses[0]).trouble
    if trouble:
        session.complain(f"Health check failed: {names[0]} {trouble}")


def _fail_over(
    session: Session, name_nodes: NameNodes, names: List[str], addresses: List[Address]
) -> None:
    former, chosen = addresses
    try:
        state = name_nodes.state(chosen).state
    except Unavailable:
        session.complain(
            f"Failover failed: Unable to get service state for NameNode at {chosen}"
        )
        return
    if state == ACTIVE or former == chosen:
        session.complain("Failover failed: Can't failover to an active service")
        return
    deadline = time.monotonic() + TAKE_OVER_SECONDS
    while name_nodes.state(chosen).state != ACTIVE:
        if time.monotonic() > deadline:
            session.complain(f"Failover failed: {names[1]} did not take over within "
                             f"{TAKE_OVER_SECONDS:g} s")  # fmt: skip
            return
        _clear_the_way(name_nodes, chosen)
        time.sleep(_PAUSE_SECONDS)
    session.out.line(f"Failover from {names[0]} to {names[1]} successful")


def _members(
    session: Session, name_nodes: NameNodes, _names: List[str], _addresses: List[Address]
) -> None:
    """As the one that leads finds them, which knows best; else as any other does."""
    asked = sorted(name_nodes.addresses, key=lambda one: not _leads(name_nodes, one))
    rows = _first_answer(name_nodes, asked)
    cells = [[head for head, _, _ in _MEMBER_COLUMNS]]
    cells += [_member(row) for row in rows]
    right = [place for place, (_, _, is_number) in enumerate(_MEMBER_COLUMNS) if is_number]
    for line in columns(cells, right):
        session.out.line(line)
    for row in rows:
        if row.words:
            session.out.line(f"The metadata service {row.address} {row.words}. {row.advice}")


def _member(row: MemberRow) -> List[str]:
    """Of one that does not answer its address and why: the rest would be from nowhere."""
    known = (row.address, row.state)
    cells = [show(row) for _, show, _ in _MEMBER_COLUMNS]
    return cells if row.member_id else [cell if cell in known else "-" for cell in cells]


def _lag(row: MemberRow) -> str:
    """How many edits it lacks; edits of another record are not to be counted."""
    return "-" if row.state == FOREIGN else str(row.lag)


def _verify(
    session: Session, name_nodes: NameNodes, _names: List[str], _addresses: List[Address]
) -> None:
    """By the one that leads; the others refuse, and say so."""
    leading = sorted(name_nodes.addresses, key=lambda one: not _leads(name_nodes, one))
    known, differing, silent = name_nodes.compare_members(leading[0])
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

_Perform = Callable[[Session, NameNodes, List[str], List[Address]], None]

_ACTIONS: Dict[str, Tuple[int, _Perform]] = {
    "-getServiceState": (1, _state),
    "-getAllServiceState": (0, _all_states),
    "-checkHealth": (1, _health),
    "-failover": (2, _fail_over),
    "-members": (0, _members),
    "-verify": (0, _verify),
}
"""How many namenodes each names, and what does it."""
