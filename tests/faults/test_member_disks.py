"""The disk of a member is emptied, damaged, or restored from an old copy, while edits go on.

Two of three members go on without it, nothing that was acknowledged is lost, and in the end all
members have the same image.
"""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Callable, Iterator

import pytest

from metadata_service.going_alone import go_alone
from metadata_service.quorum import FULL, STRANGER
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.quorum import Load, Quorum
from tests.support.clusters.waiting import wait_until
from tests.support.disks.member_damage import break_the_log, flip_a_row
from tests.support.disks.small_disk import CannotMount, SmallDisk

VICTIM = "metadata_1"


@pytest.fixture(name="cluster", scope="module")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("members")
    cluster = Cluster(folder, data_nodes=1, members=3, metadata={"keep_edits": 50})
    disk = None
    with contextlib.suppress(CannotMount):
        disk = SmallDisk(cluster.directory(VICTIM), 64 << 20)
    try:
        with cluster:
            yield cluster
    finally:
        if disk is not None:
            disk.close()


@pytest.fixture(name="quorum")
def _quorum(cluster: Cluster) -> Quorum:
    quorum = Quorum(cluster)
    quorum.wait_whole()
    return quorum


def test_an_emptied_disk_fills_itself_and_is_admitted(cluster: Cluster, quorum: Quorum) -> None:
    before = quorum.wait_whole()
    with Load(cluster, "emptied") as load:
        cluster.kill(VICTIM)
        load.wait_more(20)
        cluster.wipe(VICTIM)
        cluster.start_daemon(VICTIM)
        wait_until(lambda: _is_another(quorum, before[VICTIM].member_id))
        after = quorum.wait_whole()
        load.wait_more(20)
    assert after[VICTIM].configuration.version > before[VICTIM].configuration.version
    quorum.wait_equal()


def _is_another(quorum: Quorum, member_id: str) -> bool:
    status = quorum.status(VICTIM)
    return status is not None and status.member_id != member_id


def test_a_member_that_was_away_for_long_comes_back_as_itself(
    cluster: Cluster, quorum: Quorum
) -> None:
    before = quorum.wait_whole()
    with Load(cluster, "away") as load:
        cluster.kill(VICTIM)
        load.wait_more(400)  # More edits than are kept: it needs an image.
        cluster.start_daemon(VICTIM)
        after = quorum.wait_whole()
    assert after[VICTIM].member_id == before[VICTIM].member_id
    quorum.wait_equal()


def test_a_full_disk_delays_nobody_and_catches_up_when_it_has_room(
    cluster: Cluster, quorum: Quorum
) -> None:
    if not os.path.ismount(cluster.directory(VICTIM)):
        pytest.skip("only root may mount a small disk")
    disk = SmallDisk.at(cluster.directory(VICTIM))
    before = quorum.wait_whole()
    with Load(cluster, "full") as load:
        disk.fill()
        load.wait_more(100)
        wait_until(lambda: _state(quorum) == FULL)
        disk.drain()
        after = quorum.wait_whole()
    assert after[VICTIM].member_id == before[VICTIM].member_id
    quorum.wait_equal()
    same = cluster.client("haadmin", "-verify")
    assert (same.status, same.text) == (0, "all metadata services have the same rows\n"), same
    cluster.pause(VICTIM)
    differs = cluster.client("haadmin", "-verify")
    cluster.resume(VICTIM)
    assert differs.status != 0 and "could not tell" in differs.err
    quorum.wait_whole()


def _state(quorum: Quorum) -> str:
    status = quorum.status(VICTIM)
    return "" if status is None else status.state


@pytest.mark.parametrize("damage", [flip_a_row, break_the_log])
def test_a_damaged_disk_is_healed(
    cluster: Cluster, quorum: Quorum, damage: Callable[[Path], None]
) -> None:
    directory = cluster.directory(VICTIM)
    with Load(cluster, damage.__name__) as load:
        load.wait_more(20)
        cluster.kill(VICTIM)
        damage(directory)
        load.wait_more(20)
        cluster.start_daemon(VICTIM)
        quorum.wait_whole()
    quorum.wait_equal()
    assert any(name.startswith("damaged-") for name in os.listdir(directory))


def test_an_old_copy_of_a_disk_is_noticed_and_filled_anew(
    cluster: Cluster, quorum: Quorum, tmp_path: Path
) -> None:
    before = quorum.wait_whole()
    copies = OldCopies(cluster, tmp_path, VICTIM)
    quorum.wait_whole()
    with Load(cluster, "copied") as load:
        load.wait_more(50)
    copies.put_back()
    wait_until(lambda: _is_another(quorum, before[VICTIM].member_id))
    cluster.start_daemon("name_node")
    quorum.wait_whole()
    quorum.wait_equal()
    with cluster.file_system() as file_system:
        load.check(file_system)


def test_two_old_copies_at_a_time_take_nothing_from_the_third(
    cluster: Cluster, quorum: Quorum, tmp_path: Path
) -> None:
    """They are filled from it, and do not count. It goes on when a person says so."""
    victims = [role for role in cluster.members if role != "metadata"]
    before = quorum.wait_whole()
    copies = OldCopies(cluster, tmp_path, *victims)
    quorum.wait_whole()
    with Load(cluster, "twice") as load:
        load.wait_more(50)
    copies.put_back()
    whole = quorum.status("metadata")
    assert whole is not None

    def are_filled() -> bool:
        found = [quorum.status(role) for role in victims]
        return all(
            one is not None and one.state == STRANGER and one.applied == whole.applied
            and one.member_id not in [status.member_id for status in before.values()]
            for one in found
        )  # fmt: skip

    wait_until(are_filled, what="both being filled from the one that is whole")
    cluster.terminate("metadata")
    own = "{}:{}".format(*cluster.address("metadata"))
    go_alone(str(cluster.directory("metadata")), own, whole.cluster_id)
    cluster.start_daemon("metadata")
    cluster.start_daemon("name_node")
    quorum.wait_whole()
    quorum.wait_equal()
    with cluster.file_system() as file_system:
        load.check(file_system)


class OldCopies:
    """Of members' directories, as they are when this is made."""

    def __init__(self, cluster: Cluster, folder: Path, *victims: str) -> None:
        self._cluster, self._folder, self._victims = cluster, folder, victims

        for victim in victims:
            cluster.terminate(victim)
            shutil.copytree(cluster.directory(victim), folder / victim)
            cluster.start_daemon(victim)

    def put_back(self) -> None:
        """Stop them, and the namenode: a leader would give them again what they have forgotten,
        and so hear of no loss at all."""
        for role in ("name_node", *self._victims):
            self._cluster.kill(role)
        for victim in self._victims:
            self._cluster.wipe(victim)
            shutil.copytree(
                self._folder / victim, self._cluster.directory(victim), dirs_exist_ok=True)
            self._cluster.start_daemon(victim)
