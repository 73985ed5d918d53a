"""kill -9 of every daemon, and of the client, at each step of put, overwrite, rename and delete.

A step is a message on its way: a trap in the proxy of its link kills before it is passed on. A
daemon is started again at once, and the client, who knows nothing, is told in the end that all is
done. Of a client that is killed itself either all or nothing is seen, by everybody from then on. A
trap that did not spring fails the test.
"""

from typing import Callable, Iterator, List, NamedTuple, Optional

import pytest

from data_service.filesystem import FileSystem
from tests.support.clusters.cluster import EVERYBODY, Cluster
from tests.support.clusters.quorum import Quorum
from tests.support.disks.replicas import block_names, holders, noise, stored, unfinished
from tests.support.clusters.waiting import wait_until

BLOCK = 64 * 1024
OLD, NEW = noise(BLOCK, 1), noise(BLOCK + 5, 2)
NODES = ("data_node_0", "data_node_1", "data_node_2")


class Step(NamedTuple):
    """A message between `near` and `far`; `*` as one of them is any datanode.

    `after` is a call of the client that must come first.
    """

    near: str
    far: str
    method: str
    answered: bool
    after: str = ""

    def __str__(self) -> str:
        return f"{self.after or self.far}.{self.method}.{'answered' if self.answered else 'asked'}"

    def arm(self, cluster: Cluster, kill: Callable[[str], None]) -> None:
        """Set the traps; `kill` is told which datanode met the message, if one did."""
        if self.after:
            rest = self._replace(after="")
            first = cluster.link("client", "name_node")
            first.trap(self.after.encode(), lambda: rest.arm(cluster, kill))
            return
        for node in NODES if "*" in (self.near, self.far) else NODES[:1]:
            near, far = self.near.replace("*", node), self.far.replace("*", node)
            link = cluster.link(EVERYBODY if far == node else near, far)
            link.trap(self.method.encode(), lambda node=node: kill(node), self.answered)


def asked_and_answered(call: str) -> List[Step]:
    """The steps of a call that changes the namespace, from the client to the disk and back."""
    return [
        Step("client", "name_node", call, False),
        Step("name_node", "metadata", "append", False, call),
        Step("name_node", "metadata", "append", True, call),
        Step("client", "name_node", call, True),
    ]


WRITE = [
    Step("client", "name_node", "create", True),
    Step("client", "name_node", "add_block", True),
    Step("client", "*", "write_block", False),
    Step("*", "name_node", "block_changes", False),
    *asked_and_answered("complete"),
]
DAEMONS = ("zookeeper", "metadata", "name_node", "data_node")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three datanodes, two replicas, and a proxy on every link that a step is on."""
    links = [("client", "name_node"), ("name_node", "metadata")]
    links += [(EVERYBODY, node) for node in NODES] + [(node, "name_node") for node in NODES]
    options = {
        "name_node": {"block_size": BLOCK, "lease_soft_seconds": 0.5, "lease_hard_seconds": 1},
        "client": {"parallel_blocks": 1},
    }
    with Cluster(tmp_path_factory.mktemp("points"), links=links, **options) as cluster:
        Quorum(cluster).wait_at(cluster.link("name_node", "metadata").address)
        yield cluster


class Killer:
    """Kills one daemon, once, and starts it again at once."""

    def __init__(self, cluster: Cluster, victim: str) -> None:
        self._cluster = cluster
        self._victim = victim
        self.killed = ""

    def __call__(self, node: str) -> None:
        if not self.killed:
            self.killed = node if self._victim == "data_node" else self._victim
            self._cluster.kill(self.killed)
            self._cluster.daemons[self.killed].start()

    def wait_back(self) -> None:
        """Wait until all is as before; the trap must have sprung."""
        assert self.killed, "the fault was never met"
        self._cluster.daemons[self.killed].wait_ready()
        self._cluster.wait_live(len(NODES))


def write(file_system: FileSystem, path: str, content: bytes) -> None:
    """Put or overwrite."""
    with file_system.open(path, "wb") as file:
        file.write(content)


def read(file_system: FileSystem, path: str) -> bytes:
    """The whole of a file."""
    with file_system.open(path) as file:
        return file.read()


def wait_only(cluster: Cluster, file_system: FileSystem, path: str) -> None:
    """Wait until the disks hold the two replicas of this file's blocks, and nothing else."""
    names = block_names(file_system, path) if file_system.exists(path) else []

    def is_so() -> bool:
        all_names = {name for node in NODES for name in stored(cluster, node)}
        left = [file for node in NODES for file in unfinished(cluster, node)]
        counts = [len(holders(cluster, name)) for name in names]
        return all_names == set(names) and not left and counts == [2] * len(names)

    wait_until(is_so, what=f"only the blocks {names} on every disk")


@pytest.mark.parametrize("victim", DAEMONS)
@pytest.mark.parametrize("step", WRITE, ids=str)
def test_an_overwrite_succeeds_whichever_daemon_is_killed_at_whichever_step(
    nodes: Cluster, step: Step, victim: str
) -> None:
    with nodes.file_system() as file_system:
        write(file_system, "/target", OLD)
        killer = Killer(nodes, victim)
        step.arm(nodes, killer)
        write(file_system, "/target", NEW)
        killer.wait_back()
        assert read(file_system, "/target") == NEW
        wait_only(nodes, file_system, "/target")


@pytest.mark.parametrize("victim", DAEMONS[:-1])
@pytest.mark.parametrize("step", asked_and_answered("rename"), ids=str)
def test_a_rename_succeeds_once_whichever_daemon_is_killed_at_whichever_step(
    nodes: Cluster, step: Step, victim: str
) -> None:
    with nodes.file_system() as file_system:
        write(file_system, "/target", OLD)
        killer = Killer(nodes, victim)
        step.arm(nodes, killer)
        file_system.rename("/target", "/moved")
        killer.wait_back()
        assert [status.name for status in file_system.list("/")] == ["moved"]
        assert read(file_system, "/moved") == OLD
        assert file_system.delete("/moved")


@pytest.mark.parametrize("victim", DAEMONS[:-1])
@pytest.mark.parametrize("step", asked_and_answered("delete"), ids=str)
def test_a_delete_succeeds_once_whichever_daemon_is_killed_at_whichever_step(
    nodes: Cluster, step: Step, victim: str
) -> None:
    with nodes.file_system() as file_system:
        write(file_system, "/target", OLD)
        killer = Killer(nodes, victim)
        step.arm(nodes, killer)
        assert file_system.delete("/target"), "the retried call has the first one's answer"
        killer.wait_back()
        assert list(file_system.list("/")) == []
        wait_only(nodes, file_system, "/target")


def kill_client(nodes: Cluster, step: Step, *words: str, stdin: bytes = b"") -> None:
    """Run a command that is killed when it meets the step; returns when its fate is decided.

    What it said last may still be under way: the namenode that is told to stop finishes that.
    """
    client = nodes.start_client(*words)
    step.arm(nodes, lambda _node: client.kill())
    client.communicate(stdin)
    assert client.returncode == -9, "the fault was never met"
    nodes.restart("name_node")
    nodes.wait_live(len(NODES))


def is_durable(step: Step) -> bool:
    """Whether the change is recorded when the client is killed."""
    return step.answered and step.method in ("append", "complete", "rename", "delete")


@pytest.mark.parametrize(
    "step, old",
    [(step, OLD) for step in WRITE] + [(step, None) for step in asked_and_answered("complete")],
    ids=lambda value: str(value) if isinstance(value, Step) else "overwrite" if value else "new",
)
def test_of_a_put_whose_client_is_killed_all_or_nothing_is_seen(
    nodes: Cluster, step: Step, old: Optional[bytes]
) -> None:
    words = ("-D", "dfs.replication=2", "put", "-f", "-", "/target")
    with nodes.file_system() as file_system:
        if old is not None:
            write(file_system, "/target", old)
        kill_client(nodes, step, *words, stdin=NEW)
        seen = read(file_system, "/target") if file_system.exists("/target") else None
        assert seen == NEW if is_durable(step) else seen in (old, NEW)
        if "complete" not in (step.after, step.method):
            assert seen == old, "it was never asked for"
        wait_only(nodes, file_system, "/target")
        assert file_system.delete("/target") == (seen is not None)


@pytest.mark.parametrize("step", asked_and_answered("rename"), ids=str)
def test_a_rename_whose_client_is_killed_shows_one_of_both_names(
    nodes: Cluster, step: Step
) -> None:
    with nodes.file_system() as file_system:
        write(file_system, "/target", OLD)
        kill_client(nodes, step, "mv", "/target", "/moved")
        names = [status.name for status in file_system.list("/")]
        assert names == ["moved"] if is_durable(step) else names in (["target"], ["moved"])
        assert read(file_system, f"/{names[0]}") == OLD
        assert file_system.delete(f"/{names[0]}")


@pytest.mark.parametrize("step", asked_and_answered("delete"), ids=str)
def test_a_delete_whose_client_is_killed_is_done_or_not(nodes: Cluster, step: Step) -> None:
    with nodes.file_system() as file_system:
        write(file_system, "/target", OLD)
        kill_client(nodes, step, "rm", "/target")
        if file_system.exists("/target"):
            assert not is_durable(step)
            assert read(file_system, "/target") == OLD
            assert file_system.delete("/target")
        wait_only(nodes, file_system, "/target")
