"""The judges of a cluster at rest: each finds what it is there to find, and nothing else."""

import hashlib
from pathlib import Path
from typing import Any, Dict

import pytest

from tests.chaos import invariants
from tests.chaos.history import FAILED, OK, REFUSED, UNKNOWN, Call, History, outcome_of
from tests.chaos.invariants import RecordedEdit, StoredFile, Vitals
from tests.chaos.quorum_deeds import Silence, judge_silences
from tests.support.disks.damage import DAMAGES
from tests.support.disks.every_replica import Replica, read_replica
from tests.support.disks.replicas import noise
from tests.support.disks.stores import opened, path_of, put
from zookeeper.fabric import errors

CONTENT = b"first block" + b"second"
FILE = StoredFile.of(7, 2, (("blk_1_1", 11, 2), ("blk_2_1", 6, 2)), CONTENT)


def replica(data: bytes, problem: str = "") -> Replica:
    """A replica of these bytes."""
    return Replica(Path("x"), len(data), hashlib.sha256(data).hexdigest(), problem)


def disks() -> Dict[str, Dict[str, Replica]]:
    """The file's two blocks, each on two of three datanodes."""
    return {
        "data_node_0": {"blk_1_1": replica(CONTENT[:11])},
        "data_node_1": {"blk_1_1": replica(CONTENT[:11]), "blk_2_1": replica(CONTENT[11:])},
        "data_node_2": {"blk_2_1": replica(CONTENT[11:])},
    }


def test_a_file_that_is_where_it_should_be_is_well() -> None:
    assert invariants.judge_disks({"/a": FILE}, disks()) == []
    assert invariants.judge_disks({"/a": FILE._replace(replication=2)}, disks()) == []


def broken_disks() -> Dict[str, Any]:
    """What may be wrong -> (file, disks, the beginning of the complaint)."""
    lost, extra, rotten, other, stray = (disks() for _ in range(5))
    del lost["data_node_0"]["blk_1_1"]
    extra["data_node_2"]["blk_1_1"] = replica(CONTENT[:11])
    rotten["data_node_0"]["blk_1_1"] = replica(CONTENT[:11], "its checksums are gone")
    other["data_node_0"]["blk_1_1"] = replica(b"other bytes")
    stray["data_node_0"]["blk_9_1"] = replica(b"deleted")
    miscounted = FILE._replace(blocks=(("blk_1_1", 11, 3), FILE.blocks[1]))
    return {
        "too few": (FILE, lost, "I6: /a blk_1_1 should have 2 replicas"),
        "too many": (FILE, extra, "I6: /a blk_1_1 should have 2 replicas"),
        "miscounted": (miscounted, disks(), "I6: /a blk_1_1 should have 2 replicas"),
        "damaged": (FILE, rotten, "I1: /a blk_1_1 on data_node_0: its checksums are gone"),
        "other bytes": (FILE, other, "I1: /a blk_1_1 on data_node_0: not what was written"),
        "short": (FILE._replace(length=18), disks(), "I1: /a has 17 bytes, 18"),
        "stray": (FILE, stray, "I4: data_node_0 still has blk_9_1"),
    }


@pytest.mark.parametrize("fault", broken_disks())
def test_what_is_wrong_on_a_disk_is_found(fault: str) -> None:
    file, found, complaint = broken_disks()[fault]
    complaints = invariants.judge_disks({"/a": file}, found)
    assert len(complaints) == 1 and complaints[0].startswith(complaint), complaints


def test_the_record_is_judged() -> None:
    first = RecordedEdit(1, 1, "mkdir", "client", 1)
    fine = [first, RecordedEdit(2, 1, "purge", "", 0), RecordedEdit(3, 2, "purge", "", 0)]
    assert invariants.judge_record(fine) == []
    assert invariants.judge_record([*fine, RecordedEdit(4, 0, "mkdir", "client", 2)]) == []
    for edit, number in (
        (RecordedEdit(5, 2, "mkdir", "client", 2), "I8"),
        (RecordedEdit(4, 1, "mkdir", "client", 2), "I8"),
        (RecordedEdit(5, 0, "mkdir", "client", 2), "I8"),
        (RecordedEdit(4, 2, "mkdir", "client", 1), "I9"),
    ):
        complaints = invariants.judge_record([*fine, edit])
        assert len(complaints) == 1 and complaints[0].startswith(number), complaints


def test_namenode_and_record_are_compared() -> None:
    told = {"/a": ("d",), "/b": ("f", 1, 3, ())}
    assert invariants.judge_names(told, dict(told)) == []
    for recorded in ({"/a": ("d",)}, {**told, "/c": ("d",)}, {**told, "/b": ("f", 1, 2, ())}):
        assert len(invariants.judge_names(told, recorded)) == 1


def test_growth_is_found_and_moods_are_not() -> None:
    before = {"name_node": Vitals(20, 10, 50.0)}
    assert invariants.judge_vitals(before, {"name_node": Vitals(25, 12, 60.0)}) == []
    for grown in (Vitals(60, 10, 50.0), Vitals(20, 50, 50.0), Vitals(20, 10, 90.0)):
        assert len(invariants.judge_vitals(before, {"name_node": grown})) == 1
    assert invariants.judge_logs({"name_node": 900_000}, 10.0) == []
    assert invariants.judge_logs({"name_node": 1_900_000}, 120.0) == []
    assert len(invariants.judge_logs({"name_node": 1_900_000}, 60.0)) == 1
    assert invariants.judge_living([]) == []
    assert len(invariants.judge_living(["metadata", "zookeeper"])) == 2


@pytest.mark.parametrize(
    "kind, error, outcome",
    [
        ("put", errors.PathExists, REFUSED),
        ("put", errors.DeadlineExceeded, UNKNOWN),
        ("put", errors.NotLeader, UNKNOWN),
        ("put", errors.InternalError, UNKNOWN),
        ("put", errors.NotEnoughReplicas, FAILED),
        ("put", errors.LeaseExpired, FAILED),
        ("put", errors.QuotaExceeded, FAILED),
        ("put", errors.PermissionDenied, REFUSED),
        ("page", errors.DeadlineExceeded, FAILED),
        ("get", errors.PathNotFound, REFUSED),
        ("get", errors.Unavailable, FAILED),
        ("get", errors.BlockMissing, FAILED),
    ],
)
def test_an_error_says_as_much_as_it_says(kind: str, error: type, outcome: str) -> None:
    assert outcome_of(kind, error()) == outcome
    history = History()

    def fail() -> None:
        raise error()

    call = history.run("client", kind, ("/a",), fail)
    assert (call.outcome, call.result) == (outcome, error)
    assert history.run("client", kind, ("/a",), lambda: 5)[-3:] == (OK, 5, "")
    assert [call.number for call in history.calls] == [1, 2]


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_kind_of_damage_shows_on_the_disk(tmp_path: Path, damage: str) -> None:
    store = opened(tmp_path)
    block = put(store, 1, noise(100_000))
    store.close()
    path = path_of(tmp_path, block)
    assert read_replica(path).problem == ""
    DAMAGES[damage](path)
    assert read_replica(path).problem


def test_who_may_come_to_lead_may_need_what_the_leader_needs() -> None:
    found = {"name_node": Vitals(9, 2, 5.0), "name_node_1": Vitals(3, 8, 4.0),
             "data_node_0": Vitals(1, 1, 1.0)}  # fmt: skip
    most = invariants.most_of_a_kind(found)
    assert most["name_node"] == most["name_node_1"] == Vitals(9, 8, 5.0)
    assert most["data_node_0"] == Vitals(1, 1, 1.0)


def test_only_what_was_asked_and_acknowledged_in_a_silence_is_a_complaint() -> None:
    def put(began: float, ended: float, outcome: str = OK, kind: str = "put") -> Call:
        return Call(1, "thread-0", kind, ("/a", 0, 3, True), began, ended, outcome, None)

    silences = [Silence(10.0, 20.0)]
    well = [put(9.0, 15.0), put(12.0, 21.0), put(12.0, 15.0, UNKNOWN), put(12.0, 15.0, OK, "get")]
    assert judge_silences(well, silences) == []
    (complaint,) = judge_silences([*well, put(12.0, 15.0)], silences)
    assert complaint.startswith("I11: ") and "put /a" in complaint
