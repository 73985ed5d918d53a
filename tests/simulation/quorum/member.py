"""A member of the quorum: its real core, around which disk, lock and other members are modelled."""

from typing import Any, Callable, Dict, List, Optional

from metadata_service.edits import join_lines
from metadata_service.member.catch_up_plan import IMAGE, PULL, RENEW, Mark, next_step
from metadata_service.member.member_core import Change, MemberCore
from metadata_service.member.member_lease import LEASE_FACTOR
from metadata_service.quorum import DAMAGED, Export, MemberStatus, Place, Tail
from metadata_service.record.spare_promise import kept_beside
from tests.simulation.network import Network
from tests.simulation.quorum.decided import Decided
from tests.simulation.quorum.model_disk import ROTTEN_EDIT, SOUND, ModelDisk, digest_of
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import CorruptData, DfsError, DiskFull, SessionExpired

LEADER_SECONDS = 1.5
LEASE_SECONDS = LEADER_SECONDS * LEASE_FACTOR
KEEP_EDITS = 20
"""Few, so that members that were away a while need an image."""

CLUSTER_ID = "cluster-1"
LOOK_SECONDS = 0.5
PAGE_ROWS = 2
EXPORT_SECONDS = 4.0
CALL_SECONDS = 1.0
PULL_EDITS = 7


class MetadataMember(Process):
    """At one address; whose disk is there may change."""

    def __init__(self, network: Network, name: str, decided: Decided) -> None:
        super().__init__(network.world, name)
        self.network = network
        self.peers: List[str] = []
        self._witness = decided
        self.loses_power = False
        """Whether the next transaction is cut off by a loss of power."""
        self._disks = 0
        self.disk = ModelDisk("")
        self.replace_disk()
        self.core = self._fresh()

    def replace_disk(self) -> None:
        """An empty directory: another member, from now on."""
        self._disks += 1
        self.disk = ModelDisk(f"{self.name}-{self._disks}")

    def _rename(self) -> None:
        self._disks += 1
        self.disk.rename(f"{self.name}-{self._disks}")

    def _fresh(self) -> MemberCore:
        return MemberCore(self.disk.record, KEEP_EDITS, LEASE_SECONDS, self.clock())

    def on_start(self) -> None:
        """What is on the disk is all that is left. Rotten edits cannot be opened."""
        if self.disk.health == ROTTEN_EDIT:
            self.replace_disk()
        self.core = self._fresh()
        if self.disk.health != SOUND:
            self.core.trouble = DAMAGED
        self.acknowledged: Mark = self._stands
        self._last_seen, self._pruned = -1, False
        # When each reader of the image last asked, by the id of its export.
        self._readers: Dict[str, float] = {}
        self._pending: Optional[Change] = None
        self._busy = False
        self._free = Bell(self.world)
        self.spawn(self._settle())
        self.spawn(self._catch_up())

    @property
    def _stands(self) -> Mark:
        return self.core.record.log_epoch, self.core.record.last.txid

    def crash(self) -> None:
        """kill -9: what was being written may be on the disk, or not."""
        if self.up and self._pending is not None and self.world.chance(0.5):
            self._carry_out(self._torn(self._pending))
        super().crash()

    def status(self) -> MemberStatus:
        """What it tells."""
        return self.core.status(not self.disk.full, self.clock())

    # One transaction at a time.

    def _write(self, decide: Callable[[], Optional[Change]]) -> Script:
        while self._busy:
            yield self._free.wait(1.0)
        self._busy = True
        try:
            if self.core.trouble:
                raise CorruptData(f"{self.name} is {self.core.trouble}")
            change = decide()
            if change is not None:
                yield from self._make_durable(change)
            self.acknowledged = max(self.acknowledged, self._stands)
        finally:
            self._busy = False
            self._free.ring()

    def _make_durable(self, change: Change) -> Script:
        if self.disk.full:
            change = self._beside(change)
        self._pending = change
        yield self.world.sleep(self.world.random.random() * 0.01)
        if self.loses_power:
            self.world.at(0.0, self._lose_power)
            yield self.world.sleep(1.0)
        while self.disk.stalled_until > self.world.now:
            yield self.world.sleep(0.1)
        self._pending = None
        self._carry_out(change)
        self.core.done(change)
        self.core.check()

    def _beside(self, change: Change) -> Change:
        """What is left of a change on a full disk; raises DiskFull unless it is but a promise."""
        rest = kept_beside(self.core.record, change)
        if rest is None:
            self.core.lease.withdraw()
            raise DiskFull("there is no room")
        return change._replace(record=rest)

    def _lose_power(self) -> None:
        """In the middle of a transaction."""
        if self.loses_power and self.up:
            self.loses_power = False
            self.crash()
            seconds = self.world.random.choice((0.1, 2.0))
            self.world.at(seconds, lambda: None if self.up else self.start())

    def _carry_out(self, change: Change) -> None:
        self.disk.carry_out(change)
        record = change.record
        if record.configuration.is_of_only(record.member_id):
            kept = self.disk.lines(record.base.txid, record.last.txid)
            self._witness.decide(self.name, record.last, kept)
        self._witness.require_applied(self.name, change.record.applied)

    def _torn(self, change: Change) -> Change:
        """How much of a transaction is there when it is there at all: all of it."""
        return change

    def _settle(self) -> Script:
        """Apply what is decided, and end what was read by somebody who is gone."""
        while True:
            yield self.world.sleep(0.2)
            for export_id, used_at in list(self._readers.items()):
                if self.clock() - used_at > EXPORT_SECONDS:
                    self._leave(export_id)
            try:
                yield from self._write(lambda: self.core.settle(self.disk))
            except DfsError as error:
                self.world.note(f"{self.name} settles later: {error.code}")

    # What leaders ask.

    def exposed_status(self, _source: str) -> MemberStatus:
        """See MemberCalls, for this and the next ones."""
        return self.status()

    def exposed_claim(self, _source: str, cluster_id: str, epoch: int, owner: str) -> Script:
        """Promise an epoch."""
        yield from self._write(lambda: self.core.claim(cluster_id, epoch, owner, self.clock()))
        self.world.note(f"{self.name} promises {epoch} to {owner}")
        return self.status()

    def exposed_adopt(self, _source: str, *args: Any) -> Script:
        """Make the log that of a new epoch."""
        yield from self._write(lambda: self.core.adopt(*args, self.disk))
        return self.core.stored(not self.disk.full)

    def exposed_append(self, _source: str, *args: Any) -> Script:
        """Store edits."""
        yield from self._write(lambda: self.core.append(*args, self.disk))
        return self.core.stored(not self.disk.full)

    def exposed_prove(self, _source: str, epoch: int, decided: int) -> Any:
        """Whether the leader of that epoch still leads."""
        return self.core.prove(epoch, decided, not self.disk.full, self.clock())

    def exposed_wish(self, _source: str, address: str, missed_by: int) -> None:
        """A namenode would lead, as so many datanodes miss who does."""
        self.core.wishes.file(address, missed_by, self.clock())

    def exposed_release(self, _source: str, epoch: int) -> None:
        """The leader lets go."""
        self.core.release(epoch)

    def exposed_undecided(self, _source: str, epoch: int, txid: int, limit: int) -> bytes:
        """All edits behind one."""
        self.core.require_promise(epoch)
        last = min(self.core.record.last.txid, txid + limit)
        return join_lines(self._read(lambda: self.disk.lines(txid, last)))

    def exposed_tail(self, _source: str, txid: int, limit: int) -> Tail:
        """Decided edits behind one."""
        if self.core.trouble:
            raise CorruptData(f"{self.name} is {self.core.trouble}")
        record, decided = self.core.record, self.core.decided
        if decided < txid or record.base.txid > txid:
            return Tail(decided, b"", True)
        lines = self._read(lambda: self.disk.lines(txid, min(decided, txid + limit)))
        return Tail(decided, join_lines(lines), False)

    # What other members ask.

    def exposed_begin_export(self, _source: str) -> Script:
        """Stand still, once what is being written has been."""
        while self._busy:
            yield self._free.wait(1.0)
        if self.core.trouble:
            raise CorruptData(f"{self.name} is {self.core.trouble}")
        self._pin()
        count = self._read(lambda: len(self.disk.rows()))
        export_id = f"export-{self.world.random.randrange(1 << 30)}"
        self._readers[export_id] = self.clock()
        return Export(export_id, self.core.record.applied, (("all", count),))

    def _pin(self) -> None:
        self.core.still = True

    def exposed_load(self, _source: str, export_id: str, start: int) -> list:
        """A page of rows."""
        self._require_export(export_id)
        return self._read(self.disk.rows)[start : start + PAGE_ROWS]

    def exposed_end_export(self, _source: str, export_id: str) -> str:
        """Go on; the digest of all rows."""
        self._require_export(export_id)
        self._leave(export_id)
        return digest_of(self._read(self.disk.rows))

    def _require_export(self, export_id: str) -> None:
        if export_id not in self._readers:
            raise SessionExpired("this export is over")
        self._readers[export_id] = self.clock()

    def _leave(self, export_id: str) -> None:
        del self._readers[export_id]
        self.core.still = self.core.still and bool(self._readers)

    def exposed_log_behind(self, _source: str, txid: int, upto: int) -> bytes:
        """Edits that were applied here."""
        upto = min(upto, self.core.record.applied.txid)
        if self.core.record.base.txid > txid:
            return b""
        return join_lines(self._read(lambda: self.disk.lines(txid, upto)))

    def _read(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except CorruptData:
            self.core.trouble = DAMAGED
            raise

    # Catching up.

    def _catch_up(self) -> Script:
        while True:
            yield self.world.sleep(LOOK_SECONDS * self.world.random.uniform(0.5, 1.5))
            try:
                yield from self._look()
            except DfsError as error:
                self.world.note(f"{self.name} catches up later: {error.code}")

    def _look(self) -> Script:
        peers: Dict[str, MemberStatus] = {}
        for peer in self.peers:
            try:
                peers[peer] = yield self._ask(peer, "status")
            except DfsError as error:
                self.world.note(f"{self.name}: {peer} is {error.code}")
        if self.core.trouble and self.disk.health == ROTTEN_EDIT:
            self._soon(self.replace_disk)
            return
        own = self.status()
        stuck, self._last_seen = own.last.txid == self._last_seen, own.last.txid
        step = next_step(own, self.acknowledged, peers, stuck, self._pruned)
        if step.deed == PULL:
            yield from self._pull(step.peer, own.applied)
        elif step.deed == IMAGE:
            yield from self._fetch(step.peer, peers[step.peer])
            self._pruned = False
        elif step.deed == RENEW:
            self.world.note(f"{self.name} is renewed: {step.why}")
            self._soon(self._rename)

    def _ask(self, peer: str, method: str, *args: Any) -> Any:
        return self.network.call(self, peer, method, *args, timeout=CALL_SECONDS)

    def _soon(self, deed: Callable[[], None]) -> None:
        """Do this between an end of all that is under way and a new start."""

        def again() -> None:
            self.crash()
            deed()
            self.start()

        self.world.at(0.0, lambda: self.deliver(again))

    def _pull(self, peer: str, place: Place) -> Script:
        payload = yield self._ask(peer, "log_behind", place.txid, place.txid + PULL_EDITS)
        self._pruned = not payload
        if payload:
            yield from self._write(lambda: self.core.pull(place, payload, self.disk))

    def _fetch(self, peer: str, status: MemberStatus) -> Script:
        export: Export = yield self._ask(peer, "begin_export")
        rows: list = []
        while len(rows) < export.rows[0][1]:
            page = yield self._ask(peer, "load", export.export_id, len(rows))
            if not page:
                break
            rows += page
        digest = yield self._ask(peer, "end_export", export.export_id)
        self._require_digest(rows, digest)
        while self._busy:
            yield self._free.wait(1.0)
        if export.applied.txid < self.core.record.applied.txid:
            raise CorruptData("the image is older than the own one")
        self._busy = True
        yield self.world.sleep(self.world.random.random() * 0.1)
        self._soon(lambda: self._install(export.applied, status, rows))

    def _require_digest(self, rows: list, digest: str) -> None:
        if digest_of(rows) != digest:
            raise CorruptData("the image is not what the peer has")

    def _install(self, place: Place, peer: MemberStatus, rows: list) -> None:
        """The image, and of the own log what goes on from it."""
        old = self.core.record
        configuration = old.configuration if old.configuration.version else peer.configuration
        last = old.last if old.log_epoch and self._keeps_tail(place) else place
        record = old._replace(cluster_id=peer.cluster_id, base=place, applied=place, last=last,
                              configuration=configuration)
        self.disk.install(record, rows)
        self._witness.require_image(self.name, place, self.disk.tables)
        self.world.note(f"{self.name} installed an image at {place.txid}")

    def _keeps_tail(self, place: Place) -> bool:
        record = self.core.record
        follows = place == record.applied or self.disk.digest(place.txid) == place.digest
        return place.txid < record.last.txid and follows
