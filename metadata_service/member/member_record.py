"""What a member knows of itself durably, and how it stands in the rows of its table `state`."""

import json
from typing import Any, Dict, NamedTuple, Tuple

from metadata_service.quorum import START, Configuration, Place
from zookeeper.fabric.errors import CorruptData

Witness = Tuple[Tuple[str, int, int], ...]
"""(member id, log epoch, txid) of all members, as the leader told; that of the others counts."""

_APPLIED = "applied"
_PLACES = ("last", _APPLIED)


class Record(NamedTuple):
    """A member after a transaction. Its log goes from behind `base` to `last`; its image tables
    are what all edits up to `applied` have made."""

    cluster_id: str
    member_id: str
    promised: int
    owner: str
    log_epoch: int
    base: Place
    last: Place
    applied: Place
    configuration: Configuration
    witness: Witness

    @property
    def is_alone(self) -> bool:
        """Whether it decides by itself: it is the only member."""
        return self.configuration.is_of_only(self.member_id)

    @property
    def is_member(self) -> bool:
        """Whether its word counts anywhere, as far as it knows."""
        return self.member_id in self.configuration.ids


def rows_of(record: Record) -> Dict[str, str]:
    """The record as rows. Where the log ends, the log itself tells."""
    return {name: _shown(name, record) for name in ROWS}


def changed_rows(old: Record, new: Record) -> Dict[str, str]:
    """The rows in which two records differ."""
    # This runs for every append, of which most change no more than where the log ends.
    fields = zip(Record._fields, old, new)
    changed = [name for name, one, other in fields if one is not other and one != other]
    rows = {name: _shown(name, new) for name in changed if name not in _PLACES}
    if not (old.applied == old.last and new.applied == new.last):
        # Of a member that applies all that it stores, this row says the same for ever.
        rows[_APPLIED] = _shown(_APPLIED, new)
    return rows


def record_of(rows: Dict[str, str], last: Place) -> Record:
    """The record of a member whose log ends at `last` (base.txid: it is empty); CorruptData."""
    try:
        base = place_of(rows["base"])
        last = last if last.txid else base
        return Record(
            rows["cluster_id"],
            rows["member_id"],
            int(rows["promised"]),
            rows["owner"],
            int(rows["log_epoch"]),
            base,
            last,
            place_of(rows["applied"]) if rows["applied"] else last,
            configuration_of(rows["configuration"]),
            tuple((str(name), int(epoch), int(txid))
                  for name, epoch, txid in json.loads(rows["witness"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptData(f"what it says of itself cannot be read: {error}") from None


def configuration_text(configuration: Configuration) -> str:
    """A configuration as the value of a row."""
    return json.dumps(configuration, separators=(",", ":"))


def configuration_of(text: str) -> Configuration:
    """The reverse; raises ValueError or TypeError on anything else."""
    version, sets = json.loads(text)
    return Configuration(int(version), tuple(
        tuple((str(member_id), str(address)) for member_id, address in one) for one in sets
    ))  # fmt: skip


def alone(member_id: str, address: str) -> Configuration:
    """The configuration of a member that decides by itself."""
    return Configuration(1, (((member_id, address),),))


def _shown(name: str, record: Record) -> str:
    value: Any = getattr(record, name)
    if name == _APPLIED:
        # Empty says that all has been applied, which is not the same as nothing.
        return "" if value == record.last else f"{value.txid} {value.digest}"
    if name == "base":
        return place_text(value)
    if name == "configuration":
        return configuration_text(value)
    if name == "witness":
        return json.dumps(value, separators=(",", ":"))
    return str(value)


def place_text(place: Place) -> str:
    """A place as the value of a row."""
    return "" if place == START else f"{place.txid} {place.digest}"


def place_of(text: str) -> Place:
    """The reverse of `place_text`; raises ValueError on anything else."""
    if not text:
        return START
    txid, digest = text.split(" ")
    return Place(int(txid), digest)


ROWS = (
    "cluster_id", "member_id", "promised", "owner", "log_epoch", "base", "applied",
    "configuration", "witness",
)  # fmt: skip
"""Names of rows that are fields of the record, too."""
