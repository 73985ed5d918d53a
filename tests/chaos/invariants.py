"""What must hold of a cluster at rest, as functions of plain facts; each gives its complaints.

The numbers are those of the list of invariants that the project keeps: I1 acknowledged bytes are
there, I4 deleted ones are not, I6 all replicas are where they should be, the namenode and its
record agree, I7 daemons live and need no more than before, I8 one namenode an epoch, I9 one effect
a call. I2, I3, I5 and I10 are about what clients were told: see `explanation.py`.
"""

import hashlib
from typing import Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

from tests.support.clusters.configuration import kind_of
from tests.support.disks.every_replica import Replica

LOG_BYTES_A_MINUTE_MAX = 1_000_000
GROWTH_MAX = 1.1
SPARE_HANDLES, SPARE_THREADS, SPARE_MEBIBYTES = 24, 24, 24.0
"""Beyond ten per cent: what a handful of clients and a garbage collector's mood may cost."""


class StoredFile(NamedTuple):
    """A file as the namenode tells of it, with what a reader got of it.

    `blocks` are (name, length, how many live replicas the namenode counts), `digests` the SHA-256
    of the bytes of each, and `length` how many bytes were read.
    """

    inode_id: int
    replication: int
    blocks: Tuple[Tuple[str, int, int], ...]
    length: int
    digests: Tuple[str, ...]

    @classmethod
    def of(
        cls, inode_id: int, replication: int, blocks: Tuple[Tuple[str, int, int], ...], data: bytes
    ) -> "StoredFile":
        """A file of which these bytes were read."""
        digests, offset = [], 0
        for _, length, _ in blocks:
            digests.append(hashlib.sha256(data[offset : offset + length]).hexdigest())
            offset += length
        return cls(inode_id, replication, blocks, len(data), tuple(digests))


class RecordedEdit(NamedTuple):
    """One row of the durable record; of epoch 0 where it does not tell in which it was decided."""

    txid: int
    epoch: int
    operation: str
    client_id: str
    call_number: int


class Vitals(NamedTuple):
    """What a process needs of its machine."""

    handles: int
    threads: int
    mebibytes: float


def judge_disks(
    files: Mapping[str, StoredFile], disks: Mapping[str, Mapping[str, Replica]]
) -> List[str]:
    """I1, I4, I6: each block good on as many disks as it should be, nothing else on any."""
    complaints = []
    known = set()
    for path, file in sorted(files.items()):
        for (name, _, live), expected in zip(file.blocks, file.digests):
            known.add(name)
            held = {role: disks[role][name] for role in disks if name in disks[role]}
            for role, replica in sorted(held.items()):
                if replica.problem or replica.sha256 != expected:
                    why = replica.problem or "not what was written"
                    complaints.append(f"I1: {path} {name} on {role}: {why}")
            wanted = min(file.replication, len(disks))
            if not len(held) == live == wanted:
                complaints.append(
                    f"I6: {path} {name} should have {wanted} replicas, is on {sorted(held)}, and "
                    f"the namenode counts {live}"
                )
        told = sum(length for _, length, _ in file.blocks)
        if told != file.length:
            complaints.append(f"I1: {path} has {told} bytes, {file.length} were read")
    for role, replicas in sorted(disks.items()):
        complaints += [f"I4: {role} still has {name}" for name in sorted(set(replicas) - known)]
    return complaints


def judge_record(edits: Sequence[RecordedEdit]) -> List[str]:
    """I8, I9: the record is dense, its epochs only grow, and no call is in it twice."""
    complaints = []
    calls: Dict[Tuple[str, int], int] = {}
    for before, edit in zip(edits, edits[1:]):
        if edit.txid != before.txid + 1:
            complaints.append(f"I8: edit {edit.txid} follows {before.txid}")
    led = [edit for edit in edits if edit.epoch]
    for before, edit in zip(led, led[1:]):
        if edit.epoch < before.epoch:
            complaints.append(
                f"I8: edit {edit.txid} is of epoch {edit.epoch}, after one of {before.epoch}"
            )
    for edit in edits:
        if edit.client_id:
            first = calls.setdefault((edit.client_id, edit.call_number), edit.txid)
            if first != edit.txid:
                complaints.append(f"I9: {edit} is the same call as edit {first}")
    return complaints


def judge_names(told: Mapping[str, tuple], recorded: Mapping[str, tuple]) -> List[str]:
    """I6: what the namenode tells of each path is what the database has."""
    return [
        f"I6: {path} is {told.get(path)} to the namenode and {recorded.get(path)} in its record"
        for path in sorted({*told, *recorded})
        if told.get(path) != recorded.get(path)
    ]


def judge_vitals(before: Mapping[str, Vitals], now: Mapping[str, Vitals]) -> List[str]:
    """I7: nobody needs a tenth more than it did, beyond a little."""
    spare = Vitals(SPARE_HANDLES, SPARE_THREADS, SPARE_MEBIBYTES)
    return [
        f"I7: {role} has {has:g} {what}, {had:g} before"
        for role in sorted(now)
        for what, had, has, more in zip(Vitals._fields, before[role], now[role], spare)
        if has > had * GROWTH_MAX + more
    ]


def most_of_a_kind(found: Mapping[str, Vitals]) -> Dict[str, Vitals]:
    """What each needs who may come to do what the busiest one of its kind does now."""
    kinds: Dict[str, List[Vitals]] = {}
    for role, vitals in found.items():
        kinds.setdefault(kind_of(role), []).append(vitals)
    return {role: Vitals(*map(max, zip(*kinds[kind_of(role)]))) for role in found}


def judge_logs(grown: Mapping[str, int], seconds: float) -> List[str]:
    """I7: no log grows faster than a megabyte a minute, however bad the times."""
    limit = LOG_BYTES_A_MINUTE_MAX * max(1.0, seconds / 60)
    return [
        f"I7: the log of {role} grew by {count} bytes in {seconds:.0f} s"
        for role, count in sorted(grown.items())
        if count > limit
    ]


def judge_living(ended: Iterable[str]) -> List[str]:
    """I7: who was not killed lives."""
    return [f"I7: {role} ended by itself" for role in sorted(ended)]
