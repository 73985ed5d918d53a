"""report and fsck tell the truth: a walk over the datanodes' disks and the database finds the same.

Each state is brought about on real processes, and held still by safe mode where it would pass.
"""

import json
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

import pytest

from tests.support.clusters import brute_force
from tests.support.clusters.brute_force import Truth
from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import block_names, holders, noise, role_at, stored
from tests.support.clusters.waiting import wait_until

BLOCK_BYTES = 64 << 10
LENGTHS = {"/d/two": BLOCK_BYTES + 1, "/d/e/one": BLOCK_BYTES, "/d/small": 7, "/empty": 0}


class World:
    """A cluster, and what was stored in it."""

    def __init__(self, cluster: Cluster, scratch: Path) -> None:
        self.cluster = cluster
        self.contents: Dict[str, bytes] = {}
        self._scratch = scratch

    def put(self, path: str, length: int, replication: int) -> List[str]:
        """Store a file; the names of its blocks."""
        self.contents[path] = noise(length, len(self.contents))
        with self.cluster.file_system() as file_system:
            with file_system.open(path, "wb", replication=replication) as file:
                file.write(self.contents[path])
            return block_names(file_system, path)

    def shell(self, *words: str) -> Tuple[int, str]:
        """Run a command; its status and output."""
        done = self.cluster.client(*words)
        assert done.err == "", done
        return done.status, done.text

    def read_in_vain(self, path: str) -> None:
        """Have the damage of a file's last replica noticed."""
        assert self.cluster.client("cat", path).status == 1

    def truth(self) -> Truth:
        """What is so now, as far as running datanodes have it."""
        running = [r for r in self.cluster.data_nodes if self.cluster.daemons[r].running]
        return brute_force.look(self.cluster, self._scratch, self.contents, running)

    def told(self) -> Tuple[Dict[str, object], Dict[str, object]]:
        """What fsck and report tell, of what the truth knows too."""
        expected = self.truth()
        status, text = self.shell("fsck", "/", "--json")
        fsck = json.loads(text)
        assert status == (0 if fsck["status"] == "HEALTHY" else 1)
        for name in ("missing_blocks", "corrupt_blocks", "corrupt_files"):
            fsck[name].sort()
        report = json.loads(self.shell("report", "--json")[1])
        return (
            {name: fsck[name] for name in expected.fsck()},
            {name: report[name] for name in expected.report()},
        )

    def agree(self) -> Truth:
        """Wait until fsck, report and the truth are one; the truth."""

        def is_so() -> bool:
            truth = self.truth()
            return self.told() == (truth.fsck(), truth.report())

        wait_until(is_so, what=f"{self.told()} to be {self.truth().fsck(), self.truth().report()}")
        return self.truth()

    def wait_dead(self, count: int) -> None:
        """Wait until the namenode has given up so many datanodes."""
        with self.cluster.file_system() as file_system:
            wait_until(lambda: sum(n.state == "dead" for n in file_system.datanodes()) == count)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three datanodes, some files with two replicas, one with three."""
    options = {"block_size": "64K", "stale_seconds": 1, "dead_seconds": 2}
    with Cluster(tmp_path / "cluster", name_node=options) as cluster:
        made = World(cluster, tmp_path)
        for path, length in LENGTHS.items():
            made.put(path, length, 2)
        made.put("/three", 5, 3)
        yield made


def flip(world: World, block: str, roles: Sequence[str]) -> None:
    """Damage replicas of a block on the disks of these datanodes."""
    for role in roles:
        path = stored(world.cluster, role)[block]
        data = path.read_bytes()
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def test_a_healthy_cluster(world: World) -> None:
    truth = world.agree()
    assert {found.good - found.wanted for found in truth.blocks} == {0}
    assert truth.directories == 3 and len(truth.files) == 5 and len(truth.blocks) == 5

    def nodes_agree() -> bool:
        nodes = json.loads(world.shell("report", "--json")[1])["datanodes"]
        roles = {world.cluster.address(role)[1]: role for role in world.cluster.data_nodes}
        told = [(node["blocks"], node["used"]) for node in nodes]
        found = [brute_force.usage(world.cluster, roles[node["port"]]) for node in nodes]
        return told == found and all(node["last_report_seconds"] is not None for node in nodes)

    wait_until(nodes_agree, what="each datanode's blocks and bytes to be those on its disk")
    listed = world.shell("fsck", "/", "-files", "-blocks", "-replicaDetails")[1]
    assert listed.count("(LIVE)") == sum(found.good for found in truth.blocks)
    for found in truth.blocks:
        assert f":{found.name} len={found.length} Live_repl={found.good}  [" in listed


def test_too_few_and_missing_replicas(world: World) -> None:
    alone = world.put("/alone", 3, 1)
    world.cluster.kill(holders(world.cluster, alone[0])[0])
    world.wait_dead(1)
    wait_until(lambda: all(f.good == 2 for f in world.truth().blocks if f.path != "/alone"))
    truth = world.agree()
    assert [found.path for found in truth.blocks if 0 < found.good < found.wanted] == ["/three"]
    assert truth.fsck()["missing_blocks"] == alone
    status, text = world.shell("fsck", "/")
    assert status == 1 and "/alone: MISSING 1 blocks of total size 3 B.\n" in text
    assert "/three:  Under replicated " in text
    report = world.shell("report")[1]
    assert "\tMissing blocks (with replication factor 1): 1\n" in report
    assert "Dead datanodes (1):" in report


def test_too_many_replicas(world: World) -> None:
    world.cluster.kill("data_node_0")
    world.wait_dead(1)
    wait_until(lambda: all(found.good == 2 for found in world.truth().blocks))
    world.shell("safemode", "enter")
    world.cluster.start_daemon("data_node_0")
    truth = world.agree()
    assert [found.path for found in truth.blocks if found.good > found.wanted]
    assert world.shell("fsck", "/")[0] == 0
    world.shell("safemode", "leave")
    wait_until(lambda: all(found.good == found.wanted for found in world.truth().blocks))
    world.agree()


def test_corrupt_replicas(world: World) -> None:
    alone = world.put("/alone", 3, 1)
    pair = world.put("/pair", 4, 2)
    with world.cluster.file_system() as file_system:
        first = file_system.block_locations("/pair").blocks[0].targets[0]
    world.shell("safemode", "enter")
    flip(world, alone[0], holders(world.cluster, alone[0]))
    flip(world, pair[0], [role_at(world.cluster, first.port)])
    world.read_in_vain("/alone")
    assert world.cluster.client("cat", "/pair").out == world.contents["/pair"]
    truth = world.agree()
    assert truth.fsck()["corrupt_blocks"] == alone and truth.report()["urgent"] == 1
    details = world.cluster.client("fsck", "/pair", "-replicaDetails").text
    assert details.count("(CORRUPT)") == 1 and details.count("(LIVE)") == 1
    status, text = world.shell("fsck", "-blockId", alone[0])
    assert status == 1 and "Block belongs to: /alone\n" in text and " is CORRUPT\n" in text
    listed = world.shell("fsck", "-list-corruptfileblocks")
    number = alone[0].split("_")[1]
    assert listed[0] == 255 and f"blk_{number}\t/alone\n" in listed[1]
    world.shell("safemode", "leave")
    world.agree()


def test_what_is_left_is_moved_and_the_file_deleted(world: World) -> None:
    names = world.put("/d/damaged", 3 * BLOCK_BYTES, 1)
    flip(world, names[1], holders(world.cluster, names[1]))
    world.read_in_vain("/d/damaged")
    wait_until(lambda: world.told()[0]["corrupt_blocks"] == [names[1]])
    assert world.shell("fsck", "/", "-move", "-delete")[0] == 1
    content = world.contents.pop("/d/damaged")
    chains = {
        "/lost+found/d/damaged/0": content[:BLOCK_BYTES],
        "/lost+found/d/damaged/1": content[2 * BLOCK_BYTES :],
    }
    for path, part in chains.items():
        assert world.cluster.client("cat", path).out == part
    world.contents.update(chains)
    assert world.agree().fsck()["status"] == "HEALTHY"


def test_a_file_that_is_being_written(world: World) -> None:
    before = world.agree()
    with world.cluster.file_system() as file_system:
        with file_system.open("/d/open", "wb", replication=2) as file:
            file.write(noise(2 * BLOCK_BYTES + 9))

            def first_blocks_are_told() -> bool:
                rows = list(file_system.open_files("/"))
                blocks = [found.health.live for row in rows for found in row.blocks]
                return blocks[:2] == [2, 2]

            wait_until(first_blocks_are_told)
            assert world.agree() == before, "it is no file yet"
            found = json.loads(world.shell("fsck", "/", "--json")[1])
            assert found["open_files"] == 1 and found["open_size"] >= 2 * BLOCK_BYTES
            assert "(Files currently being written: 1)" in world.shell("fsck", "/")[1]
            checked = world.shell("fsck", "/d", "-openforwrite")[1]
            assert "/d/open " in checked and ", OPENFORWRITE:  OK\n" in checked
            assert "/d/open " not in world.shell("fsck", "/empty", "-openforwrite")[1]
        world.contents["/d/open"] = noise(2 * BLOCK_BYTES + 9)
    assert len(world.agree().files) == len(before.files) + 1
