"""What goes wrong with the disks of members, drawn from the seed.

Disks fail one after the other: the next may be lost, rot or go back in time only when all members
are whole again, because what a majority has lost is lost.
"""

from typing import Callable, Dict, List

from tests.simulation.quorum.decided import Decided
from tests.simulation.quorum.member import MetadataMember
from tests.simulation.quorum.model_disk import ROTTEN_EDIT, ROTTEN_ROW, SOUND, ModelDisk
from tests.simulation.world import World


class DiskFaults:
    """The deeds, and how often each is done beside the others; `note` hears of each, and `seconds`
    draws how long a fault lasts."""

    def __init__(
        self, world: World, members: List[MetadataMember], witness: Decided,
        note: Callable[[str], None], seconds: Callable[[], float],
    ) -> None:  # fmt: skip
        self._world, self._random = world, world.random
        self._members, self._witness = members, witness
        self._note, self._seconds = note, seconds
        self._copies: Dict[str, ModelDisk] = {}
        self._over = False
        self.one_was_chosen = False
        """Whether one member was ever to go on alone."""
        self.deeds: Dict[Callable[[], None], float] = {
            self._fill: 1.0, self._fill_most: 1.0, self._stall: 1.5, self._wipe: 2.0,
            self._rot_edit: 1.0, self._rot_row: 2.0, self._copy: 2.0, self._restore: 2.0,
        }  # fmt: skip

    def heal(self) -> None:
        """Disks have room and answer from now on."""
        self._over = True
        for member in self._members:
            member.disk.full, member.disk.stalled_until = False, 0.0

    def _later(self, deed: Callable[[], None]) -> None:
        self._world.at(self._seconds(), deed)

    def _restart(self, member: MetadataMember) -> None:
        if not member.up:
            member.start()

    def _fill(self) -> None:
        self._note("full disk")
        self._fill_some(1)

    def _fill_most(self) -> None:
        """Nothing can be changed for a while; what is there can be read."""
        self._note("most disks full")
        self._fill_some(self._random.randint(len(self._members) // 2 + 1, len(self._members)))

    def _fill_some(self, count: int) -> None:
        disks = [member.disk for member in self._random.sample(self._members, count)]
        for disk in disks:
            disk.full = True

        def make_room() -> None:
            # Somebody else may have filled them since all was healed.
            for disk in () if self._over else disks:
                disk.full = False

        self._later(make_room)

    def _stall(self) -> None:
        self._note("stalled disk")
        disk = self._random.choice(self._members).disk
        disk.stalled_until = self._world.now + self._seconds()

    def are_whole(self) -> bool:
        """Whether any one disk could be lost now."""
        records = [member.disk.record for member in self._members]
        return (
            self._are_all_members()
            and all(record.last.txid >= len(self._witness.lines) for record in records)
            and len({(r.promised, r.log_epoch, r.configuration) for r in records}) == 1
            and records[0].promised == records[0].log_epoch
            and all(m.up and not m.core.trouble for m in self._members)
        )

    def _are_all_members(self) -> bool:
        """Whether these very disks decide, and are sound. None is lost in a run where one was ever
        chosen to be the only one, for that one may not be lost."""
        records = [member.disk.record for member in self._members]
        newest = max(records, key=lambda r: (r.log_epoch, r.configuration.version)).configuration
        ids = [{member_id for member_id, _ in one} for one in newest.sets]
        return (
            ids == [{record.member_id for record in records}]
            and not self.one_was_chosen
            and all(record.is_member for record in records)
            and all(member.disk.health == SOUND for member in self._members)
        )

    def _wipe(self) -> None:
        if self.are_whole():
            self._note("wiped disk")
            member = self._random.choice(self._members)
            member.crash()
            member.replace_disk()
            self._later(lambda: self._restart(member))

    def _rot_edit(self) -> None:
        if self.are_whole():
            self._decay(self._random.choice(self._members), ROTTEN_EDIT)

    def _rot_row(self) -> None:
        """The log is there, and the promise: more can be broken meanwhile."""
        if self._are_all_members():
            self._decay(self._random.choice(self._members), ROTTEN_ROW)

    def _decay(self, member: MetadataMember, health: str) -> None:
        self._note(health)
        member.disk.health = health
        if member.up and self._random.random() < 0.7:  # Otherwise it is noticed when it is read.
            member.crash()
            self._world.at(0.1, lambda: self._restart(member))

    def _copy(self) -> None:
        """Somebody copies a directory, which is put back one day."""
        member = self._random.choice(self._members)
        if member.disk.record.log_epoch and self._are_all_members():
            self._note("copied disk")
            self._copies[member.name] = member.disk.copied()

    def _restore(self) -> None:
        """An old copy is put back, while both others remember what it had acknowledged."""
        member = self._random.choice(self._members)
        copy, record = self._copies.get(member.name), member.disk.record
        stands = (record.member_id, record.log_epoch, record.last.txid)
        remembered = all(stands in other.disk.record.witness
                         for other in self._members if other is not member)
        if copy is not None and copy.record.member_id == record.member_id:
            is_older = copy.record.last.txid < record.last.txid
            if is_older and remembered and self.are_whole():
                self._note("old copy put back")
                member.crash()
                del self._copies[member.name]
                member.disk = copy
                copy.full, copy.stalled_until = False, 0.0
                self._world.at(0.1, lambda: self._restart(member))
