"""Planted mistakes in the quorum: the simulation must see each.

Most are those of the exhaustive models (tests/protocol), in the real code this time; the others
are of what those leave out: images, witnesses, and whose promise a proof is.
"""

import itertools
from typing import Any, Callable, Dict, Iterable, NamedTuple, Optional, Sequence, Tuple

from metadata_service.leader import recovery
from metadata_service.leader.allegiance import Allegiance
from metadata_service.leader.majorities import is_majority
from metadata_service.member.member_core import Change, MemberCore
from metadata_service.member.member_lease import MemberLease
from metadata_service.member.member_record import Record
from metadata_service.quorum import NOBODY, START, Configuration, MemberStatus
from tests.simulation.quorum import claimant as claimant_module
from tests.simulation.quorum import member as member_module
from tests.simulation.quorum import reign as reign_module
from tests.simulation.quorum.claimant import Claimant
from tests.simulation.quorum.member import MetadataMember
from tests.simulation.quorum.model_disk import ModelDisk, blank_record
from tests.simulation.quorum.reign import Reign
from tests.simulation.quorum.reigning import Reigning
from tests.simulation.quorum.scenes import seeds_of
from zookeeper.fabric.errors import DfsError, Fenced


class QuorumPatch(NamedTuple):
    """`owner.attribute` is replaced by `replacement`."""

    owner: Any
    attribute: str
    replacement: Any


class QuorumMutant(NamedTuple):
    """Patches, and the scene that is about them; none: chance alone meets them, as it did in the
    run of this `seed` when this was written."""

    scene: str
    seed: int
    patches: Tuple[QuorumPatch, ...]

    def seeds(self) -> Iterable[int]:
        """First those that play the scene, then all from that one."""
        playing = seeds_of(self.scene, SCENE_SEEDS) if self.scene else ()
        return itertools.chain(playing, range(self.seed, self.seed + SEEDS))

    def notices(self, error: AssertionError) -> bool:
        """A defect of the mutant itself would be no discovery."""
        if not isinstance(error.__cause__, (AssertionError, DfsError)):
            raise error
        return True


SEEDS = 200
SCENE_SEEDS = 40
"""How many seeds are tried, at most: of all, and of those that play the scene."""


def _longest(members: recovery.Answers) -> MemberStatus:
    return max(members.values(), key=lambda status: (status.last.txid, status.log_epoch))


def _any_member(configuration: Configuration, marks: Any) -> Optional[Any]:
    """The word of one member is enough."""
    ids = configuration.ids
    return max([mark for member_id, mark in marks.items() if member_id in ids], default=None)


def _log_that_was_not_adopted(self: MemberCore, epoch: int) -> None:
    if epoch < self.record.promised:
        raise Fenced("another epoch")


def _no_adoption(self: Reigning, status: MemberStatus, reign: Reign) -> bool:
    """A log that agrees with the leader's is written to as it is."""
    return not reign.record.has(status.last)


def _forgetful(self: MetadataMember) -> MemberCore:
    """A promise was never written."""
    record = self.disk.record._replace(promised=self.disk.record.log_epoch, owner="")
    self.disk.record = record
    return MemberCore(record, member_module.KEEP_EDITS, member_module.LEASE_SECONDS, self.clock())


def _epoch_first(self: MetadataMember, change: Change) -> Change:
    """The epoch of the log is in a transaction of its own, before the log."""
    old, new = self.disk.record, change.record
    early = old._replace(promised=new.promised, owner=new.owner, log_epoch=new.log_epoch)
    return Change(early, old.last.txid, (), change.decided)


def _cut_first(self: MetadataMember, change: Change) -> Change:
    """What goes and what comes are two transactions, and what has not been applied goes."""
    old = self.disk.record
    if change.cut >= old.last.txid or change.record.log_epoch == old.log_epoch:
        return change
    return Change(old._replace(last=old.applied), old.applied.txid, (), change.decided)


_adopt = MemberCore.adopt


def _adopts_again(self: MemberCore, epoch: int, *rest: Any) -> Optional[Change]:
    """A repeated adopt is carried out once more."""
    record = self.record
    if record.log_epoch == epoch:
        self.record = record._replace(log_epoch=0)
    try:
        return _adopt(self, epoch, *rest)
    finally:
        self.record = record


_claim = MemberCore.claim


def _shared_epoch(
    self: MemberCore, cluster_id: str, epoch: int, owner: str, now: float
) -> Optional[Change]:
    """An epoch is promised to whoever names it."""
    if epoch == self.record.promised:
        record = self.record._replace(owner=owner)
        return Change(record, record.last.txid, (), self.decided)
    return _claim(self, cluster_id, epoch, owner, now)


def _any_owner(self: MemberCore, epoch: int, owner: str) -> None:
    if epoch < self.record.promised:
        raise Fenced("another epoch")


def _undecided_to_peers(self: MetadataMember, _source: str, txid: int, upto: int) -> bytes:
    lines = self.disk.lines(txid, min(upto, self.core.record.last.txid))
    return member_module.join_lines(lines)


_pull = MemberCore.pull


def _pull_with_epoch(self: MemberCore, *args: Any) -> Optional[Change]:
    """Pulled edits make the log one of the newest epoch that was promised."""
    change = _pull(self, *args)
    if change is None:
        return None
    return change._replace(record=change.record._replace(log_epoch=change.record.promised))


def _same_name(self: MetadataMember) -> None:
    """An emptied directory goes on under the identity and in the place of the lost one."""
    old = self.disk.record
    self.disk = ModelDisk(old.member_id or self.name)
    if old.configuration != NOBODY:
        self.disk.record = blank_record(old.member_id)._replace(
            cluster_id=old.cluster_id, configuration=old.configuration, last=START)


def _renamed_to_itself(self: MetadataMember) -> None:
    """Who went back in time goes on by the name by which it had acknowledged more."""
    self.disk.rename(self.disk.record.member_id)


_next = reign_module.next_configuration


def _no_joint(
    configuration: Configuration, members: Any, acknowledged: Any, *rest: Any
) -> Optional[Configuration]:
    """The new members take over at once."""
    new = _next(configuration, members, acknowledged, *rest)
    return None if new is None else Configuration(new.version, new.sets[-1:])


def _leaves_joint_at_once(configuration: Configuration, *rest: Any) -> Optional[Configuration]:
    """Nobody waits until the old members know, and the new ones have the log."""
    if len(configuration.sets) == 2:
        return Configuration(configuration.version + 1, configuration.sets[1:])
    return _next(configuration, *rest)


def _is_one_of_two_sets(self: Record) -> bool:
    """Who was the only member goes on by itself until it is told of one set."""
    return any([one for one, _ in some] == [self.member_id] for some in self.configuration.sets)


def _configured_by_length(members: recovery.Answers) -> Configuration:
    best = max(members.values(), default=None,
               key=lambda status: (status.last.txid, -status.configuration.version))
    return NOBODY if best is None else best.configuration


_lease_init = MemberLease.__init__


def _lease_forgotten(self: MemberLease, seconds: float, owner: str, now: float) -> None:
    _lease_init(self, seconds, "", now)


def _dated_by_answer(self: Reigning, asked_at: float) -> float:
    return self._process.clock()


def _one_answer(self: Allegiance, configuration: Configuration) -> Optional[float]:
    return _any_member(configuration, self._asked_at)


def _no_majority_promised(configuration: Configuration, members: Any) -> bool:
    return bool(members) or is_majority(configuration, members)


def _always(value: Any) -> Callable[..., Any]:
    return lambda *_args: value


def _mutant(scene: str, *patches: Tuple[Any, str, Any], seed: int = 0) -> QuorumMutant:
    return QuorumMutant(scene, seed, tuple([QuorumPatch(*patch) for patch in patches]))


_FEW_PROMISES: Sequence[Tuple[Any, str, Any]] = (
    (claimant_module, "is_majority", _no_majority_promised),
    (Claimant, "_counts", staticmethod(bool)),
)

MUTANTS: Dict[str, QuorumMutant] = {
    "the longest log is chosen": _mutant("two_logs", (recovery, "latest", _longest)),
    "one member's word decides": _mutant(
        "", (reign_module, "reached", _any_member), seed=1),
    "too few promises are believed": _mutant("", *_FEW_PROMISES, seed=15),
    "appended to a log that was not adopted": _mutant(
        "", (MemberCore, "_require_leader", _log_that_was_not_adopted),
        (Reigning, "_must_adopt", _no_adoption)),
    "edits are applied when they are stored": _mutant(
        "", (MemberCore, "_decided", lambda self, told, last: last)),
    "a promise is forgotten": _mutant(
        "promise_and_restart", (MetadataMember, "_fresh", _forgetful)),
    "the epoch is stored before the log": _mutant(
        "torn_adopt", (MetadataMember, "_torn", _epoch_first)),
    "adopt is two transactions": _mutant("torn_cut", (MetadataMember, "_torn", _cut_first)),
    "two candidates share an epoch": _mutant(
        "", (MemberCore, "claim", _shared_epoch), (MemberCore, "_require_owner", _any_owner),
        seed=9),
    "a repeated adopt cuts the log": _mutant("adopted_again", (MemberCore, "adopt", _adopts_again)),
    "what is not decided is pulled": _mutant(
        "", (MetadataMember, "exposed_log_behind", _undecided_to_peers)),
    "an image replaces the own tail": _mutant(
        "image_behind_the_tail", (MetadataMember, "_keeps_tail", _always(False))),
    "a pull takes over the log epoch": _mutant(
        "pulled_after_a_promise", (MemberCore, "pull", _pull_with_epoch)),
    "a wiped member keeps its name": _mutant(
        "", (MetadataMember, "replace_disk", _same_name),
        (MetadataMember, "_rename", _renamed_to_itself), seed=47),
    "members change without a joint decision": _mutant(
        "change_behind_a_claim", (reign_module, "next_configuration", _no_joint)),
    "the joint configuration is left at once": _mutant(
        "change_behind_a_claim", (reign_module, "next_configuration", _leaves_joint_at_once)),
    "the only member goes on alone": _mutant(
        "edit_amid_growth", (Record, "is_alone", property(_is_one_of_two_sets))),
    "the longest log configures": _mutant(
        "configured_before", (recovery, "newest_configuration", _configured_by_length)),
    "a member promises to whoever asks": _mutant(
        "early_claim", (MemberLease, "check_claim", _always(None))),
    "a member forgets at a restart": _mutant(
        "claim_after_a_restart", (MemberLease, "__init__", _lease_forgotten)),
    "a proof is dated by its answer": _mutant("late_proof", (Reigning, "_dated", _dated_by_answer)),
    "one answer is a proof": _mutant("one_epoch_twice", (Allegiance, "proved_at", _one_answer)),
    "a proof of who promised it to another counts": _mutant(
        "one_epoch_twice", (Reigning, "_has_adopted", _always(True))),
    "an image is read while edits are applied, and not compared": _mutant(
        "", (MetadataMember, "_pin", _always(None)),
        (MetadataMember, "_require_digest", _always(None)), seed=11),
    "an old copy of a disk is believed": _mutant(
        "old_copy", (recovery, "contradicted", _always(set()))),
}
"""By what is wrong."""

