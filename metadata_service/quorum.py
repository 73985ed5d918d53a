"""What members of the metadata quorum tell: where a log stands, who decides, how one fares.

A member is one metadata service with a disk of its own. An edit is decided when members that are a
majority have stored it in the log of the leader's epoch.
"""

from typing import Annotated, FrozenSet, NamedTuple, Tuple

from zookeeper.fabric.kinds import Length, Natural, PerhapsLabel

DIGEST_CHARACTERS_MAX = 64

Digest = Annotated[str, Length(0, DIGEST_CHARACTERS_MAX)]

OK, BLANK, STRANGER, BEHIND, DAMAGED, FULL, DISPUTED = (
    "ok", "blank", "stranger", "behind", "damaged", "full", "disputed"
)  # fmt: skip
"""How a member fares: all is well; it has no record yet; its id is in no set that it knows of; it
lacks edits that its peers have applied; its rows are not what was written; its disk is full; its
log differs from that of a peer, and nobody can tell who is right."""


class Place(NamedTuple):
    """Where a log stands: the txid of its last edit, and the digest of the chain up to that."""

    txid: Natural
    digest: Digest


START = Place(0, "")
"""Where the empty log stands."""


class Configuration(NamedTuple):
    """Who decides: a majority of every set of (member id, address). There is one set, or two while
    members change; none in a member that is blank. A later one has a larger version."""

    version: Natural
    sets: Tuple[Tuple[Tuple[str, str], ...], ...]

    @property
    def ids(self) -> FrozenSet[str]:
        """Of all members, in whichever set they are."""
        return frozenset([member_id for some in self.sets for member_id, _ in some])

    @property
    def addresses(self) -> Tuple[str, ...]:
        """Of all members, each once, in the order of the sets."""
        return tuple(dict.fromkeys([address for some in self.sets for _, address in some]))

    def is_of_only(self, member_id: str) -> bool:
        """Whether this member decides by itself."""
        return len(self.sets) == 1 == len(self.sets[0]) and self.sets[0][0][0] == member_id


NOBODY = Configuration(0, ())
"""The configuration of a blank member."""


class MemberStatus(NamedTuple):
    """What a member knows, as of its last transaction; in the answer to a claim, of the promise.

    `promised` is the newest epoch promised, to `owner`; `log_epoch` is that of the leader whose
    log this is. The log goes from `first_txid` (0: it keeps none) to `last`; the image tables stand
    at `applied`; everything up to `decided` is known to be decided. `witness` is what the members
    had acknowledged, as (member id, log epoch, txid): that of the others counts. `silent_seconds`
    is how long ago a leader last proved itself here, infinite after it let go; `state` is one of
    the words above.
    """

    cluster_id: PerhapsLabel
    member_id: PerhapsLabel
    promised: Natural
    owner: PerhapsLabel
    log_epoch: Natural
    first_txid: Natural
    last: Place
    applied: Place
    decided: Natural
    configuration: Configuration
    witness: Tuple[Tuple[str, int, int], ...]
    room: bool
    silent_seconds: float
    state: PerhapsLabel


class Stored(NamedTuple):
    """Where a member's log and image stand, durably, after `adopt` or `append`; and whether its
    disk has room for more edits. A `last` before what was sent says that edits are missing.

    It is flat: a row of plain values is checked at a glance, and there is one for every append."""

    last_txid: Natural
    last_digest: Digest
    applied_txid: Natural
    room: bool

    @property
    def last(self) -> Place:
        """Where the log stands."""
        return Place(self.last_txid, self.last_digest)


class Proved(NamedTuple):
    """A member's answer to a leader that proves itself: the leader leads when a majority `promised`
    its epoch. The id says whose word it is, for another disk may answer at the same address.
    `wish` is the address of a namenode that asks to lead instead, mostly empty, since so many
    datanodes as `missed_by` hear it, and not this leader."""

    member_id: PerhapsLabel
    promised: Natural
    last_txid: Natural
    room: bool
    wish: PerhapsLabel
    missed_by: Natural = 0


class Tail(NamedTuple):
    """Decided edits as lines, and up to where the member knows that all is decided. `behind` says
    that it knows of less than was asked for, or keeps no edits that are so old: ask another."""

    decided: Natural
    payload: bytes
    behind: bool


class Export(NamedTuple):
    """A member that stands still for a while: its image at one place, and how many rows it has."""

    export_id: PerhapsLabel
    applied: Place
    rows: Tuple[Tuple[str, int], ...]
