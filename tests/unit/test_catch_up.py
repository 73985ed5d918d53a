"""A member that looks at its peers: what it asks them for, and what it does with that."""

from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

import pytest

from metadata_service import catch_up as catch_up_module
from metadata_service.catch_up import CatchUp, _Pace
from metadata_service.edits import Row
from metadata_service.incoming import IncomingImage, install
from metadata_service.metadata_db import MetadataDatabase
from metadata_service.quorum import NOBODY, START, MemberStatus, Place
from metadata_service.schema import LAYOUT
from metadata_service.version_file import Version
from tests.support.models.record_leader import lead
from tests.support.models.sample_edits import file_edits, image_after, image_of
from tests.support.models.still_member import StillMember
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import CorruptData
from zookeeper.fabric.identity import METADATA, Principal
from zookeeper.fabric.settings import Address, NetworkSettings

EDITS = 30
PEER = "localhost:23001"


class Lacking:
    """A member that lacks something, and notes what it is given."""

    def __init__(self, directory: Path) -> None:
        self.directory = str(directory)
        self.state, self.cluster_id = "blank", ""
        self.applied = self.last = START
        self.taken: List[Row] = []
        self.renewed: List[str] = []

    def status(self) -> MemberStatus:
        """See Member."""
        return MemberStatus(self.cluster_id, "own", 1, "", 1, 1, self.last, self.applied,
                            self.applied.txid, NOBODY, (), True, 0.0, self.state)

    def acknowledged(self) -> Tuple[int, int]:
        """See Member."""
        return 1, self.last.txid

    def take(self, rows: Sequence[Row]) -> None:
        """See Member."""
        self.taken += rows
        self.last = self.applied = Place(rows[-1][0], rows[-1][2])

    def begin_image(self) -> IncomingImage:
        """See Member."""
        return IncomingImage(self.directory)

    def install(self, image: IncomingImage, place: Place, cluster_id: str) -> None:
        """See Member."""
        image.finish({"cluster_id": cluster_id, "log": "1", "promised": "1", "owner": ""})
        install(self.directory, Version(cluster_id, LAYOUT, 1))
        self.state, self.cluster_id, self.applied, self.last = "ok", cluster_id, place, place

    def renew(self, why: str) -> None:
        """See Member."""
        self.renewed.append(why)


@pytest.fixture(name="peer")
def _peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StillMember]:
    monkeypatch.setattr(catch_up_module, "PAGE_EDITS", 7)
    (tmp_path / "peer").mkdir()
    database = MetadataDatabase.open(str(tmp_path / "peer"), 1000)
    lead(database, "test")
    member = StillMember(database, lambda: 0.0)
    member.add(EDITS)
    yield member
    database.close()


@pytest.fixture(name="lacking")
def _lacking(tmp_path: Path) -> Lacking:
    (tmp_path / "own").mkdir()
    return Lacking(tmp_path / "own")


@pytest.fixture(name="catch_up")
def _catch_up(peer: StillMember, lacking: Lacking) -> Iterator[CatchUp]:
    catch_up = CatchUp(lacking, (), Credentials(Principal(METADATA)), NetworkSettings(), 1 << 30)
    catch_up._peers[PEER] = peer.calls
    yield catch_up
    catch_up.stop()


def image_in(lacking: Lacking) -> int:
    """The last edit of what was installed, whose image and log must agree."""
    database = MetadataDatabase.open(lacking.directory, 1000)
    try:
        database.check()
        last = database.status().last.txid
        assert image_of(database) == image_after(file_edits(1, last))
        return last
    finally:
        database.close()


def test_a_blank_member_takes_the_whole_record(
    catch_up: CatchUp, peer: StillMember, lacking: Lacking
) -> None:
    peer.before = lambda: peer.add(1)
    catch_up.look()
    assert lacking.cluster_id == peer.database.cluster_id and not peer.still
    assert image_in(lacking) == lacking.applied.txid == EDITS


def test_with_an_image_come_the_newest_edits(
    catch_up: CatchUp, peer: StillMember, lacking: Lacking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up_module, "EDITS_WITH_IMAGE", 5)
    catch_up.look()
    database = MetadataDatabase.open(lacking.directory, 1000)
    status = database.status()
    assert (status.first_txid, status.last.txid) == (EDITS - 3, EDITS)
    database.check()
    database.close()


def test_a_member_that_is_stuck_takes_the_edits_that_it_lacks(
    catch_up: CatchUp, peer: StillMember, lacking: Lacking
) -> None:
    catch_up.look()
    peer.add(EDITS)
    catch_up.look()
    assert not lacking.taken, "they may be on their way from the leader"
    catch_up.look()
    assert [row[0] for row in lacking.taken] == list(range(EDITS + 1, 2 * EDITS + 1))
    assert lacking.applied == peer.status().applied


def test_it_takes_an_image_when_the_edits_are_gone(
    catch_up: CatchUp, peer: StillMember, lacking: Lacking
) -> None:
    catch_up.look()
    peer.database._core._keep_edits = 1
    peer.add(400)
    for _ in range(3):
        catch_up.look()
    assert not lacking.taken and image_in(lacking) == peer.status().last.txid


def test_a_spoilt_image_is_not_installed(
    catch_up: CatchUp, peer: StillMember, lacking: Lacking
) -> None:
    peer.spoil = lambda payload: payload.replace(b"alice", b"alicf")
    with pytest.raises(CorruptData):
        catch_up.look()
    assert lacking.state == "blank"
    peer.spoil = lambda payload: payload
    catch_up.look()
    assert image_in(lacking) == EDITS


def test_a_member_that_went_back_in_time_begins_anew(
    catch_up: CatchUp, peer: StillMember, lacking: Lacking, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = peer.status()._replace(witness=(("own", 1, 1),))
    monkeypatch.setattr(peer, "status", lambda: found)
    catch_up.look()
    assert lacking.renewed == ["knows that edit 1 of epoch 1 was here"]


def test_who_does_not_answer_is_passed_over(peer: StillMember, lacking: Lacking) -> None:
    nobody = Address("localhost", 1)
    catch_up = CatchUp(
        lacking, (nobody,), Credentials(Principal(METADATA)), NetworkSettings(), 1 << 30
    )
    catch_up.look()
    assert lacking.state == "blank"
    catch_up._peers[PEER] = peer.calls
    catch_up.look()
    assert lacking.state == "ok"
    catch_up.stop()


def test_the_pace_is_kept_on_average_and_nothing_is_saved_up() -> None:
    pace = _Pace(100)
    assert [pace.seconds_after(50, now) for now in (10.0, 10.0, 10.5, 20.0)] == [0.5, 1.0, 1.0, 0.5]


def test_the_thread_looks_until_it_is_stopped(
    catch_up: CatchUp, lacking: Lacking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up_module, "LOOK_SECONDS", 0.01)
    catch_up.start()
    while lacking.state == "blank":
        catch_up._thread.join(0.01)
        assert catch_up._thread.is_alive()
    catch_up.stop()
    assert not catch_up._thread.is_alive()
