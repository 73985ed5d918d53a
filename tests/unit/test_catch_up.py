"""A member that looks at its peers: what it asks them for, and what it does with that."""

from pathlib import Path
from typing import Iterator

import pytest

from metadata_service import exporting
from metadata_service.edits import TABLES, join_lines
from metadata_service.going_alone import go_alone
from metadata_service.member import catch_up as catch_up_module
from metadata_service.member import member_core as member_module
from metadata_service.member import upkeep as upkeep_module
from metadata_service.member.catch_up import CatchUp, _Pace
from metadata_service.member.member_database import MemberDatabase
from metadata_service.member.upkeep import Upkeep
from metadata_service.quorum import BLANK, DAMAGED, OK, START, STRANGER, Configuration
from metadata_service.record import distrust
from metadata_service.record.metadata_db import MetadataDatabase
from tests.support.models.record_leader import append, lead
from tests.support.models.sample_edits import (
    file_edit,
    file_edits,
    image_after,
    image_of,
    lines_of,
)
from tests.support.models.still_member import StillMember
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import CorruptData, DiskFailed, DiskFull, OutOfStep
from zookeeper.fabric.identity import METADATA, Principal
from zookeeper.fabric.settings import Address, NetworkSettings

EDITS = 30
EPOCH = 7
PEER = "localhost:23001"


@pytest.fixture(name="peer")
def _peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StillMember]:
    monkeypatch.setattr(catch_up_module, "PAGE_EDITS", 7)
    (tmp_path / "peer").mkdir()
    database = MetadataDatabase.open(str(tmp_path / "peer"), 1000)
    lead(database, "test", EPOCH)
    member = StillMember(database, lambda: 0.0)
    member.add(EDITS)
    yield member
    database.close()


@pytest.fixture(name="lacking")
def _lacking(tmp_path: Path) -> Iterator[MemberDatabase]:
    (tmp_path / "own").mkdir()
    database = begin(tmp_path / "own")
    yield database
    database.close()


def begin(directory: Path) -> MemberDatabase:
    """One of several members; blank, if it is new."""
    return MemberDatabase.begin(str(directory), 1000, 0.0, "own:1")


@pytest.fixture(name="catch_up")
def _catch_up(peer: StillMember, lacking: MemberDatabase, tmp_path: Path) -> Iterator[CatchUp]:
    catch_up = CatchUp(Upkeep(lacking, str(tmp_path / "own")), (),
                       Credentials(Principal(METADATA)), NetworkSettings(), 1 << 30)
    catch_up._peers[PEER] = peer.calls
    yield catch_up
    catch_up.stop()


def last_of(database: MetadataDatabase) -> int:
    """The last edit that is applied, with which the image must agree."""
    database.check()
    last = database.status().applied.txid
    assert image_of(database) == image_after(file_edits(1, last))
    return last


def join(database: MemberDatabase, peer: StillMember, edits: int, decided: int) -> None:
    """Have a leader of the same epoch give a member the same log up to so many edits, of which so
    many are decided; of two members that decide."""
    status = peer.status()
    members = (*status.configuration.sets[0], (database.status().member_id, "own:1"))
    database.claim(status.cluster_id, EPOCH, "namenode:1")
    payload = join_lines(lines_of(file_edits(1, edits)))
    database.adopt(EPOCH, "namenode:1", START, payload, decided, Configuration(2, (members,)))


def test_a_blank_member_takes_the_whole_record(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase, tmp_path: Path
) -> None:
    before = lacking.status()
    peer.before = lambda: peer.add(1)
    catch_up.look()
    after = lacking.status()
    assert (before.state, after.state) == (BLANK, STRANGER) and not peer.still
    assert after.cluster_id == peer.database.cluster_id and after.member_id == before.member_id
    assert last_of(lacking) == EDITS and after.log_epoch == 0
    lacking.close()
    again = begin(tmp_path / "own")
    assert again.status()._replace(silent_seconds=0.0) == after._replace(silent_seconds=0.0)
    again.close()


def test_with_an_image_come_the_newest_edits(
    catch_up: CatchUp, lacking: MemberDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up_module, "EDITS_WITH_IMAGE", 5)
    catch_up.look()
    status = lacking.status()
    assert (status.first_txid, status.last.txid) == (EDITS - 3, EDITS)
    lacking.check()


def test_a_member_that_is_stuck_takes_the_edits_that_it_lacks(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase
) -> None:
    catch_up.look()
    peer.add(EDITS)
    catch_up.look()
    assert last_of(lacking) == EDITS, "they may be on their way from the leader"
    catch_up.look()
    assert last_of(lacking) == 2 * EDITS and lacking.status().applied == peer.status().applied


def test_it_takes_an_image_when_the_edits_are_gone(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase
) -> None:
    join(lacking, peer, 10, 10)
    before = lacking.status()
    peer.database._core._keep_edits = 1
    peer.add(400)
    for _ in range(3):
        catch_up.look()
    after = lacking.status()
    assert last_of(lacking) == after.last.txid == EDITS + 400
    for field in ("member_id", "promised", "owner", "log_epoch", "configuration", "state"):
        assert getattr(after, field) == getattr(before, field)


def test_what_was_never_decided_gives_way_to_what_was(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase
) -> None:
    join(lacking, peer, 10, 5)
    other = join_lines(lines_of([file_edit(11, "never decided")]))
    lacking.append(7, lacking.status().last, other, 5, ())
    for _ in range(2):
        catch_up.look()
    assert last_of(lacking) == EDITS and lacking.status().log_epoch == 7


def test_a_damaged_member_serves_nobody_and_keeps_its_tail(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase
) -> None:
    join(lacking, peer, EDITS + 5, 3)
    before = lacking.status()
    lacking.distrust(CorruptData("row"))
    assert lacking.status().state == DAMAGED
    for ask in (lambda: lacking.load(TABLES["inodes"], None, 1, 1), lambda: lacking.prove(7, 3),
                lambda: lacking.append(7, before.last, b"", 3, ()),
                lambda: lacking.undecided(7, 0, 1, 1)):
        with pytest.raises((CorruptData, DiskFailed)):
            ask()
    catch_up.look()
    after = lacking.status()
    assert after.state == OK and after.last == before.last and last_of(lacking) == EDITS
    assert lacking.prove(7, EDITS + 5).promised == 7 and not lacking.settle()
    assert last_of(lacking) == EDITS + 5


def test_a_damaged_member_takes_no_image_of_before_what_it_acknowledged(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its edits may have been decided by its word; of those between, nobody else need be there."""
    monkeypatch.setattr(member_module, "PRUNE_EDITS", 5)
    join(lacking, peer, EDITS + 20, EDITS + 20)
    lacking._core._keep_edits = 1
    last = lacking.status().last
    while lacking.status().first_txid <= EDITS + 1:
        lacking.append(7, last, b"", 0, ())
    before = lacking.status()
    lacking.distrust(CorruptData("row"))
    catch_up.look()
    after = lacking.status()
    assert (after.state, after.last) == (DAMAGED, last), "it must not count with less"
    with pytest.raises(OutOfStep):
        catch_up._fetch(PEER, peer.status())
    peer.add(before.first_txid - 1 - EDITS)
    catch_up.look()
    after = lacking.status()
    assert (after.state, after.last) == (OK, last)
    assert lacking.prove(7, EDITS + 20).promised == 7 and not lacking.settle()
    assert last_of(lacking) == EDITS + 20


def test_who_cannot_read_what_it_acknowledged_is_another_member_from_then_on(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase, tmp_path: Path
) -> None:
    join(lacking, peer, EDITS + 5, 3)
    before = lacking.status()
    lacking._connection.execute("UPDATE journal SET edit = 'x' WHERE txid = 33")
    lacking.distrust(CorruptData("row"))
    catch_up.look()
    after = lacking.status()
    assert after.state == STRANGER and after.member_id != before.member_id and not after.log_epoch
    assert last_of(lacking) == after.last.txid == EDITS, "the image was there, and was not wasted"
    assert [path for path in (tmp_path / "own").iterdir() if path.name.startswith("damaged-")]
    lacking.close()
    begin(tmp_path / "own").close()


def test_who_reads_slowly_reads_little_at_a_time(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the peer does not take it for gone between two pages."""
    bytes_per_second, pages = 1000, [0]
    monkeypatch.setattr(exporting, "BEGIN_ROWS", 2)
    monkeypatch.setattr(catch_up, "_wait", pages.append)
    monkeypatch.setattr(peer.exports, "_clock", lambda: sum(pages) / bytes_per_second)
    peer.add(200)
    catch_up._pace = _Pace(bytes_per_second)
    catch_up.look()
    assert last_of(lacking) == EDITS + 200 and len(pages) > 10
    assert max(pages) > 20 * bytes_per_second, "the edits do not fit in between"


def test_a_spoilt_image_is_not_installed(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase
) -> None:
    peer.spoil = lambda payload: payload.replace(b"alice", b"alicf")
    with pytest.raises(CorruptData):
        catch_up.look()
    assert lacking.status().state == BLANK
    peer.spoil = lambda payload: payload
    catch_up.look()
    assert last_of(lacking) == EDITS


def test_a_member_that_went_back_in_time_is_another_one_and_keeps_what_it_has(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Until it has an image: of two whose disks went back at a time, nothing shall be lost."""
    join(lacking, peer, 10, 10)
    before = lacking.status()
    found = peer.status()._replace(witness=((before.member_id, EPOCH, 11),))
    monkeypatch.setattr(peer, "status", lambda: found)
    catch_up.look()
    after = lacking.status()
    assert after.state == DAMAGED and after.member_id != before.member_id
    assert (after.last, after.promised, after.log_epoch) == (before.last, before.promised, 0)
    lacking.close()
    again = begin(tmp_path / "own")
    assert again.status().state == DAMAGED and again.status().member_id == after.member_id
    catch_up._member = Upkeep(again, str(tmp_path / "own"))
    catch_up.look()
    assert last_of(again) == EDITS and again.status().state == STRANGER
    again.close()


def test_a_blank_member_that_went_back_in_time_starts_wherever_it_was_killed(
    lacking: MemberDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(upkeep_module, "put", _kill)
        Upkeep(lacking, str(tmp_path / "own")).renew("an old copy")
    lacking.close()
    again = begin(tmp_path / "own")
    assert again.status().state == BLANK
    again.close()


def _kill(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_damaged_member_is_so_until_it_is_healed(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase, tmp_path: Path
) -> None:
    """What only a comparison has found, no start finds."""
    join(lacking, peer, 10, 10)
    lacking.distrust(CorruptData("its rows differ"))
    lacking.close()
    again = begin(tmp_path / "own")
    assert again.status().state == DAMAGED
    with pytest.raises(DiskFailed, match="its rows differ"):
        again.prove(EPOCH, 10)
    catch_up._member = Upkeep(again, str(tmp_path / "own"))
    catch_up.look()
    assert last_of(again) == EDITS and again.status().state == OK
    again.close()
    whole = begin(tmp_path / "own")
    assert whole.status().state == OK
    whole.close()


def test_who_goes_on_alone_trusts_what_it_has(
    lacking: MemberDatabase, peer: StillMember, tmp_path: Path
) -> None:
    """A person said so, and nobody else is left who has the rows."""
    join(lacking, peer, 10, 10)
    lacking.distrust(CorruptData("its rows differ"))
    lacking.close()
    go_alone(str(tmp_path / "own"), "own:1", peer.database.cluster_id)
    for _ in range(2):
        again = begin(tmp_path / "own")
        assert again.status().state == OK and distrust.noted(str(tmp_path / "own")) is None
        again.close()


def test_a_full_disk_forgets_damage_and_nothing_else(
    lacking: MemberDatabase, peer: StillMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be noted down counts for as long as the process lives."""
    def full(*_args: str) -> None:
        raise DiskFull("no room")

    monkeypatch.setattr(distrust, "note", full)
    join(lacking, peer, 10, 10)
    lacking.distrust(CorruptData("its rows differ"))
    assert lacking.status().state == DAMAGED


def test_a_damaged_database_is_put_aside_at_a_start(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    before = MetadataDatabase.open(str(tmp_path / "m"), 1000)
    lead(before, "test")
    append(before, 1, 1, lines_of(file_edits(1, 5)))
    member_id = before.status().member_id
    before._connection.execute("UPDATE inodes SET name = 'rotten'")
    before.close()
    again = begin(tmp_path / "m")
    assert again.status().state == BLANK and again.status().member_id != member_id
    again.close()


def test_who_does_not_answer_is_passed_over(
    catch_up: CatchUp, peer: StillMember, lacking: MemberDatabase
) -> None:
    nobody = Address("localhost", 1)
    alone = CatchUp(catch_up._member, (nobody,), Credentials(Principal(METADATA)),
                    NetworkSettings(), 1 << 30)
    alone.look()
    assert lacking.status().state == BLANK
    alone._peers[PEER] = peer.calls
    alone.look()
    assert last_of(lacking) == EDITS
    alone.stop()


def test_the_pace_is_kept_on_average_and_nothing_is_saved_up() -> None:
    pace = _Pace(100)
    assert [pace.seconds_after(50, now) for now in (10.0, 10.0, 10.5, 20.0)] == [0.5, 1.0, 1.0, 0.5]


def test_the_thread_looks_until_it_is_stopped(
    catch_up: CatchUp, lacking: MemberDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when a look breaks by a defect."""
    monkeypatch.setattr(catch_up_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(catch_up_module, "PAUSE_SECONDS_MAX", 0.01)
    real, looks = catch_up.look, iter([RuntimeError("can't start new thread")])

    def look() -> None:
        for error in looks:
            raise error
        real()

    monkeypatch.setattr(catch_up, "look", look)
    catch_up.start()
    while lacking.status().state == BLANK:
        catch_up._thread.join(0.01)
        assert catch_up._thread.is_alive()
    catch_up.stop()
    assert not catch_up._thread.is_alive()
