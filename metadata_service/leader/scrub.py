"""Has all members compare their images at one place, and those that have other rows know of it.

Each member stands still for that when it comes to the place, reads all its rows with their
checksums, and tells one digest. A member whose rows are not those of the majority is told so: it
serves nobody any more, and fetches a whole image.
"""

import threading
from functools import partial
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from metadata_service.calls import MemberCalls, ScrubCalls
from metadata_service.leader.asking import ask_all
from metadata_service.leader.members import Members
from metadata_service.leader.verdict import Verdict, verdict_on
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Call, calls_of
from zookeeper.fabric.errors import CorruptData, DfsError, OutOfStep

log = logs.get("scrub")

AHEAD = 1000
"""A place that many edits ahead is reached soon by a record that changes, and not passed before
all members have been asked to stop there."""

TRIES = 10

SECONDS_MAX = 1800.0
"""For so long a member may read its rows: some 15 s a million files."""

ANSWER_SECONDS = 2.0
"""Who does not answer for so long is not asked to compare its rows."""

PERIOD_SECONDS = 86_400.0


STATUS = calls_of(MemberCalls)["status"]


class Scrubbing:
    """A leader's scrubs: one a day, and whenever somebody asks for one."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin, in a thread that ends when the members are closed."""
        threading.Thread(target=self._run, name="scrub", daemon=True).start()

    def _run(self) -> None:
        while not self._is_over(PERIOD_SECONDS):
            self.now()

    def _is_over(self, seconds: float) -> bool:
        members = self._members
        with members.changed:
            return members.changed.wait_for(lambda: members.closed, seconds)

    def now(self) -> Verdict:
        """Compare the images of all members, which takes some time; one at a time."""
        members = self._members
        with self._lock:
            addresses = [lane.address for lane in members.lanes]
            # Who does not say a word now would be waited for as long as others may read.
            there = ask_all(members.ways, addresses, STATUS, (), ANSWER_SECONDS, lambda _: False)
            asked = {
                address: ScrubCalls(partial(_perform, members, address), SECONDS_MAX)
                for address in there.answers
            }
            count = len(members.configuration.ids)
            verdict = scrub(asked, members.reign.epoch, lambda: members.decided, count)
            absent = set(addresses) - set(asked)
            return verdict._replace(silent=tuple(sorted({*verdict.silent, *absent})))


def _perform(
    members: Members, address: str, call: Call, args: Tuple[Any, ...], seconds: Optional[float]
) -> Any:
    return members.ways.perform(address, call, args, seconds or SECONDS_MAX)


def scrub(
    members: Mapping[str, ScrubCalls], epoch: int, decided: Callable[[], int], deciding: int
) -> Verdict:
    """Compare the images of the members, by their addresses, for the leader of this epoch.

    `decided` tells the last decided edit, and `deciding` how many members decide. A record that
    changes has passed its last edit before everybody was asked, and one that does not never comes
    to a later one: so both are tried, in turn.
    """
    verdict = Verdict("", (), tuple(sorted(members)))
    for attempt in range(TRIES):
        txid = decided() + (AHEAD if attempt % 2 else 0)
        digests, missed = _digests(members, epoch, txid)
        if not missed:
            verdict = verdict_on(digests, deciding)
            break
    for address in verdict.differing if verdict.digest else ():
        _tell(members[address], address, epoch, verdict.digest)
    log.info("scrub.done", txid=txid, differing=verdict.differing, silent=verdict.silent)
    return verdict


def _digests(
    members: Mapping[str, ScrubCalls], epoch: int, txid: int
) -> Tuple[Dict[str, str], bool]:
    """The digest of each member, empty for who has none to tell; and whether any missed the
    place."""
    found: Dict[str, str] = dict.fromkeys(members, "")
    missed = threading.Event()

    def ask(address: str, calls: ScrubCalls) -> None:
        try:
            found[address] = calls.image_digest(epoch, txid)
        except OutOfStep:
            missed.set()
        except CorruptData as error:
            log.error("member.damaged", member=address, error=error.message)
        except DfsError as error:
            log.warning("member.not_scrubbed", member=address, error=error.message)

    threads = [threading.Thread(target=ask, args=pair, daemon=True) for pair in members.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found, missed.is_set()


def _tell(calls: ScrubCalls, address: str, epoch: int, digest: str) -> None:
    log.error("member.differs", member=address, effect="it fetches another image")
    try:
        calls.doubt(epoch, digest)
    except DfsError as error:
        log.warning("member.not_told", member=address, error=error.message)
