"""How a member gets what it lacks from the other members, by itself, while service goes on.

Theory of operation. One thread looks at the others now and then, and does what `catch_up_plan.py`
says. It asks for rows of a peer's log up to what that has applied: these are decided for ever, and
each tells the digest that it has there, so that what does not follow is noticed at the first row.
It begins at what this member has applied itself, since behind that it may have edits that were
never decided, and have been cut off elsewhere. A whole image is read while the peer applies
nothing, into a database of its own. All of it is slowed down to `bytes_per_second`: to catch up
must not keep the peers from their service.
"""

import threading
import time
from functools import partial
from typing import Dict, FrozenSet, Mapping, Optional, Protocol, Sequence, Set

from metadata_service.calls import MemberCalls
from metadata_service.edits import decode_rows, join_lines
from metadata_service.exporting import ExportedImage
from metadata_service.member import disputes
from metadata_service.member.catch_up_plan import (
    IMAGE,
    PULL,
    RENEW,
    WAIT,
    Mark,
    Step,
    next_step,
)
from metadata_service.quorum import START, MemberStatus, Place
from metadata_service.record.chain import places
from metadata_service.record.incoming import IncomingImage
from metadata_service.record.schema import JOURNAL
from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import CorruptData, DfsError, ProtocolViolation, Unavailable
from zookeeper.fabric.identity import METADATA
from zookeeper.fabric.pools import ConnectionPool
from zookeeper.fabric.settings import Address, NetworkSettings

log = logs.get("catch_up")

LOOK_SECONDS = 1.0
CALL_SECONDS = 10.0
PAUSE_SECONDS_MAX = 30.0
"""After a failure it tries again later and later, at last each so many seconds."""

PAGE_EDITS = 2000
PAGE_SECONDS = 2.0
"""About so long the next page of an image is waited for at most: who waits longer than the peer
allows has read in vain."""

EDITS_WITH_IMAGE = 10_000
"""So many of the newest edits come with an image: a namenode finds there whether a call that is
repeated has been carried out already."""


class Member(disputes.Member, Protocol):
    """The member that catches up."""

    def status(self) -> MemberStatus:
        """What it knows."""

    def acknowledged(self) -> Mark:
        """The furthest that it has said that it has."""

    def take(self, behind: Place, payload: bytes) -> None:
        """Store edits that are decided behind a place that it has applied, in the place of edits
        that differ; and apply them."""

    def begin_image(self) -> IncomingImage:
        """A new image to fill."""

    def install(self, image: IncomingImage, place: Place, peer: MemberStatus) -> None:
        """Go on with this image of a peer, which stands at that place, in the place of its own.
        Raises OutOfStep when some of what is to be kept would be lost."""

    def renew(self, why: str) -> None:
        """Be another member, whose rows nobody trusts, until an image of a peer comes."""


class CatchUp:
    """The thread of one member that keeps it up with its `peers`, the other addresses."""

    def __init__(
        self,
        member: Member,
        peers: Sequence[Address],
        credentials: Credentials,
        network: NetworkSettings,
        bytes_per_second: int,
    ) -> None:
        self._member = member
        self._pool = ConnectionPool(METADATA, credentials, network)
        self._peers = {
            str(address): MemberCalls(partial(self._pool.perform, address), CALL_SECONDS)
            for address in peers
        }
        self._pace = _Pace(bytes_per_second)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="catch up", daemon=True)
        self._last_txid = -1
        self._pruned = False
        self._told: Optional[Step] = None
        self._disputes = disputes.Disputes(member, self._peers)
        # The peers from which nothing could be taken, until all have been tried.
        self._failed: Set[str] = set()

    def start(self) -> None:
        """Begin to look after it."""
        self._thread.start()

    def stop(self) -> None:
        """End, at the latest when the call under way has been answered."""
        self._stop.set()
        self._pool.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        pause = LOOK_SECONDS
        while not self._stop.wait(pause):
            try:
                self.look()
                pause = LOOK_SECONDS
            except DfsError as error:
                if self._stop.is_set():
                    return
                pause = min(2 * pause, PAUSE_SECONDS_MAX)
                log.warning("catch_up.delayed", error=error.message, seconds=pause)
            except Exception as error:  # A defect of ours must not leave the member as it is.
                pause = PAUSE_SECONDS_MAX
                log.error("catch_up.failed", exc_info=True, error=error, seconds=pause)

    def look(self) -> None:
        """One look at the others, and what follows from it. Raises what came of that."""
        peers = self._statuses()
        differing = self._disputes.look(self._member.status(), peers)
        own = self._member.status()
        stuck = own.last.txid == self._last_txid
        self._last_txid = own.last.txid
        step = self._next_step(own, peers, stuck, differing)
        self._tell(step)
        try:
            self._take(step, own, peers)
        except DfsError as error:
            self._failed.add(step.peer)
            if step.deed == PULL and isinstance(error, CorruptData):
                self._disputes.suspect(step.peer)
            raise

    def _next_step(
        self,
        own: MemberStatus,
        peers: Mapping[str, MemberStatus],
        stuck: bool,
        differing: FrozenSet[str],
    ) -> Step:
        acknowledged = self._member.acknowledged()
        while True:
            shunned = differing | self._failed
            step = next_step(own, acknowledged, peers, stuck, self._pruned, shunned)
            if step.deed != WAIT or not self._failed:
                return step
            self._failed.clear()

    def _take(self, step: Step, own: MemberStatus, peers: Mapping[str, MemberStatus]) -> None:
        if step.deed == PULL:
            self._pull(step.peer, own.applied, peers[step.peer].applied.txid)
        elif step.deed == IMAGE:
            self._fetch(step.peer, peers[step.peer])
            self._pruned = False
        elif step.deed == RENEW:
            self._member.renew(step.why)

    def _statuses(self) -> Dict[str, MemberStatus]:
        found = {}
        for address, calls in self._peers.items():
            try:
                found[address] = calls.status()
            except DfsError as error:
                log.debug("peer.silent", peer=address, error=error.message)
        return found

    def _tell(self, step: Step) -> None:
        if step.why and step != self._told:
            log.warning("member.lacks", deed=step.deed, peer=step.peer, why=step.why)
        self._told = step

    def _pull(self, peer: str, place: Place, last: int) -> None:
        """Take the edits behind what this member has applied, up to what the peer has."""
        while place.txid < last:
            count = min(PAGE_EDITS, last - place.txid)
            payload = self._peers[peer].load(JOURNAL.name, place.txid, count)
            rows = decode_rows(payload)
            if not all(map(JOURNAL.accepts, rows)):
                raise ProtocolViolation(f"{peer} sent odd rows of its log")
            if not rows or rows[0][0] != place.txid + 1:
                self._pruned = True
                return
            lines = [row[3] for row in rows]
            *_, last_place = places(place, lines)
            if last_place != rows[-1][:3:2]:
                raise CorruptData(f"the log of {peer} is another one behind edit {place.txid}")
            self._member.take(place, join_lines(lines))
            place = last_place
            self._wait(len(payload))
        log.info("member.caught_up", peer=peer, txid=place.txid)

    def _fetch(self, peer: str, status: MemberStatus) -> None:
        """Take the whole image of a peer."""
        began = time.monotonic()
        incoming = self._member.begin_image()
        try:
            with ExportedImage(self._peers[peer], self._pace.bytes_in(PAGE_SECONDS)) as image:
                log.info("image.begun", peer=peer, rows=image.count, txid=image.place.txid)
                for page in image.pages():
                    incoming.put_rows(page.table, page.rows)
                    self._wait(page.size)
                # Edits of before are kept in any case: the peer need not stand still for them.
                image.finish()
                self._fetch_edits(incoming, image)
            incoming.check()
            self._member.install(incoming, image.place, status)
        finally:
            incoming.close()
        seconds = time.monotonic() - began
        log.info("image.installed", peer=peer, txid=image.place.txid, seconds=round(seconds, 1))

    def _fetch_edits(self, incoming: IncomingImage, image: ExportedImage) -> None:
        begun = False
        for page in image.edits(EDITS_WITH_IMAGE):
            rows = page.rows
            if not begun:
                # The edit before the first one is only needed for its digest.
                base = START if rows[0][0] == 1 else Place(rows[0][0], rows[0][2])
                incoming.begin_log(base)
                rows, begun = [row for row in rows if row[0] > base.txid], True
            incoming.add_edits(rows)
            self._wait(page.size)
        if not begun:
            incoming.begin_log(image.place)

    def _wait(self, size: int) -> None:
        if self._stop.wait(self._pace.seconds_after(size, time.monotonic())):
            raise Unavailable("the metadata service stops")

    def __repr__(self) -> str:
        return f"<CatchUp with {', '.join(self._peers)}>"


class _Pace:
    """When the next page may come, so that it is so many bytes a second on average."""

    def __init__(self, bytes_per_second: int) -> None:
        self._bytes_per_second = bytes_per_second
        self._due = 0.0

    def bytes_in(self, seconds: float) -> int:
        """How many may come in that time."""
        return int(self._bytes_per_second * seconds)

    def seconds_after(self, size: int, now: float) -> float:
        """How long to wait after so many bytes."""
        self._due = max(self._due, now) + size / self._bytes_per_second
        return self._due - now
