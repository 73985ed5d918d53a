"""Keys: who has one may do what it is for and nothing else; they are replaced and revoked while
everybody goes on."""

import threading
from typing import Callable, Iterator, List, Optional

import pytest

from data_service.filesystem import AuthenticationFailed, FileSystem
from data_service.filesystem.acting import ByKey, ByToken
from data_service.protocol.datanode_reports import DataNodeReports
from data_service.protocol.nodes import NodeInfo
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.configuration import kind_of
from tests.support.clusters.key_files import KeyFiles
from tests.support.clusters.waiting import wait_until
from tests.support.disks.replicas import noise
from zookeeper.calls import ZooKeeperCalls
from zookeeper.fabric import key_file
from zookeeper.fabric.errors import DfsError, PermissionDenied, SettingsError
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.key_file import ClusterKey
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, load

BYTES = noise((3 << 16) + 7, 1)
OPTIONS = {"replication_factor": 2, "block_size": "64K"}


@pytest.fixture(scope="module", name="keys")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyFiles]:
    """A cluster in which each daemon has its own key, and so have alice and bob."""
    folder = tmp_path_factory.mktemp("guarded")
    cluster = Cluster(folder, data_nodes=3, security="secret", name_node=OPTIONS)
    keys = KeyFiles(cluster)
    with cluster:
        for user in ("alice", "bob"):
            keys.issue(user)
            assert cluster.client("mkdir", "-p", f"/user/{user}").status == 0
            assert cluster.client("chown", user, f"/user/{user}").status == 0
        yield keys


def dial(keys: KeyFiles, who: str, principal: str, role: str) -> Remote:
    """A connection to a daemon, by who has the key file of `who` and calls himself so."""
    cluster = keys.cluster
    settings = load(str(cluster.config))
    with keys.used_by(who):
        credentials = credentials_of(settings, Principal.parse(principal))
    return Remote.connect(kind_of(role), Address(*cluster.address(role)), credentials,
                          settings.network)


def refused(deed: Callable[[], object]) -> str:
    """Why the client command or library refuses."""
    with pytest.raises((AuthenticationFailed, SettingsError, PermissionDenied)) as caught:
        deed()
    return str(caught.value.message)


def test_everybody_does_his_own_with_his_own_key(
    keys: KeyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = keys.cluster
    monkeypatch.delenv("PYHDFS_USER", raising=False)
    with keys.used_by("alice"):
        assert cluster.client("put", "-", "mine", stdin=BYTES).status == 0
        assert cluster.client("cat", "mine").out == BYTES
        assert cluster.client("stat", "%u %n", "mine").text == "alice mine\n"
        # Datanodes copy to each other with tickets, too.
        assert cluster.client("setrep", "-w", "3", "mine").status == 0
        assert cluster.client("chmod", "600", "mine").status == 0
        monkeypatch.setenv("PYHDFS_USER", "bob")
        done = cluster.client("ls", "/user/bob")
        assert done.status != 0 and "the key of user:alice, expected that of user:bob" in done.err
    monkeypatch.delenv("PYHDFS_USER")
    with keys.used_by("bob"):
        assert "Permission denied" in cluster.client("cat", "/user/alice/mine").err
        assert cluster.client("issueKey", "alice").status != 0


def other_digit(text: str, place: int) -> str:
    """The text with another digit at a place of it."""
    return text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]


@pytest.mark.parametrize("what", ["principal", "issued", "key id", "key", "cluster"])
def test_a_key_that_was_changed_lets_nobody_in(keys: KeyFiles, what: str) -> None:
    path, text = keys.path("mallory"), keys.path("alice").read_text()
    place = text.index("\nname_node ") + len("\nname_node ")
    changed = {
        "principal": text.replace("user:alice", "user:root"),
        "issued": text.replace("\nissued 1", "\nissued 2"),
        "key id": other_digit(text, place),
        "key": other_digit(text, place + 17),
        "cluster": key_file.issue([ClusterKey(b"x" * 32)], Principal("user", "alice"), 1),
    }
    path.touch(0o600)
    path.write_text(changed[what])
    with keys.used_by("mallory"):
        done = keys.cluster.client("ls", "/")
    assert done.status != 0 and "does not hold a valid key of this cluster" in done.err


def test_a_key_that_others_can_read_is_not_used(keys: KeyFiles) -> None:
    path = keys.issue("careless")
    path.chmod(0o640)
    with keys.used_by("careless"):
        done = keys.cluster.client("ls", "/")
    assert done.status != 0 and "expected a key file that only its owner can open" in done.err


def test_a_datanode_may_do_nothing_as_somebody_else(keys: KeyFiles) -> None:
    cluster = keys.cluster
    one, two = (str(Address(*cluster.address(f"data_node_{index}"))) for index in (0, 1))
    own = f"data_node:{one}"
    for other in (f"data_node:{two}", "name_node", "metadata", "user:root"):
        assert f"the key of {own}" in refused(lambda: dial(keys, "data_node_0", other, "metadata"))
    for role in ("metadata", "data_node_1"):
        assert "has no key for" in refused(lambda: dial(keys, "data_node_0", own, role))
    namenode = dial(keys, "data_node_0", own, "name_node")
    reports = DataNodeReports(namenode.perform, 10.0)
    host, _, port = two.rpartition(":")
    info = NodeInfo("x", "x", host, int(port), "/r", "")
    assert "may not register as the datanode" in refused(lambda: reports.register(info))
    namenode.close()
    at_zookeeper = dial(keys, "data_node_0", own, "zookeeper")
    zookeeper = ZooKeeperCalls(at_zookeeper.perform, 10.0)
    session = zookeeper.open_session("x").session_id
    refused(lambda: zookeeper.create(session, f"/data_nodes/{two}", "x"))
    refused(lambda: zookeeper.create(session, f"/leader/{one}", "99"))
    at_zookeeper.close()


def library(keys: KeyFiles, user: str) -> FileSystem:
    """The library in this process, with a user's key."""
    with keys.used_by(user):
        return FileSystem(str(keys.cluster.config))


def test_who_is_revoked_is_sent_away(keys: KeyFiles) -> None:
    cluster = keys.cluster
    with library(keys, "alice") as alice, library(keys, "bob") as bob:
        assert _works(alice) and _works(bob)
        keys.revoked.write_text("user:alice\nuser:bob 2001-01-01T00:00:00Z\n")
        assert cluster.client("refreshNodes").status == 0
        assert "does not hold a valid key" in refused(lambda: alice.stat("/"))
        assert _works(bob)
        keys.revoked.write_text("nonsense\n")
        done = cluster.client("refreshNodes")
        assert done.status != 0 and "revoked:1: found" in done.err
        assert not _works(alice) and _works(bob)
        keys.revoked.write_text("")
        # Nobody has to say so.
        wait_until(lambda: _works(alice), what="the end of the revocation")


def _works(filesystem: FileSystem) -> bool:
    try:
        return filesystem.exists("/")
    except AuthenticationFailed:
        return False


class Work(threading.Thread):
    """A user who puts and gets all the time, as if nothing happened."""

    def __init__(self, keys: KeyFiles, user: str) -> None:
        super().__init__(daemon=True)
        self._filesystem = library(keys, user)
        self._stopping = threading.Event()
        self.error: Optional[BaseException] = None
        self.rounds = 0
        self.start()

    def run(self) -> None:
        """Until `end`, or the first error."""
        try:
            with self._filesystem as filesystem:
                long = filesystem.open("long", "wb")
                while not self._stopping.is_set():
                    filesystem.write_bytes("short", BYTES)
                    assert filesystem.read_bytes("short") == BYTES
                    long.write(BYTES)
                    long.flush()
                    self.rounds += 1
                long.close()
                assert filesystem.read_bytes("long") == BYTES * self.rounds
        except (DfsError, AssertionError) as error:
            self.error = error

    def goes_on(self) -> None:
        """Returns when some rounds were made since."""
        begun = self.rounds
        wait_until(lambda: self.rounds > begun + 2 or not self.is_alive(), what="work")
        assert self.error is None, self.error

    def end(self) -> None:
        """Returns when all that was done is found to be right."""
        self._stopping.set()
        self.join(60)
        assert self.error is None and not self.is_alive(), self.error


def opens(keys: KeyFiles, token: str) -> bool:
    """Whether a delegation token is good, for who has the cluster's key."""
    with FileSystem(str(keys.cluster.config), acting=ByToken(token)) as fs:
        try:
            return fs.exists("/")
        except AuthenticationFailed:
            return False


def test_the_clusters_key_is_replaced_while_everybody_works(keys: KeyFiles) -> None:
    """The procedure of the README, step by step."""
    cluster = keys.cluster
    stolen = keys.issue("mallory")
    work: List[Work] = [Work(keys, "alice")]
    work[0].goes_on()
    with keys.used_by("alice"):
        with FileSystem(str(cluster.config)) as fs:
            token = fs.delegation_token()
    keys.replace_cluster_key()
    work[0].goes_on()
    assert opens(keys, token)
    for owner in (*keys.servers, "alice"):
        keys.issue(owner)
    work[0].goes_on()
    keys.old_cluster_key.unlink()
    work[0].goes_on()
    wait_until(lambda: not opens(keys, token), 5, "the end of the old key's tokens")
    for owner in (*keys.servers, "alice"):
        keys.issue(owner)
    work[0].goes_on()
    cluster.restart("data_node_0")
    work[0].goes_on()
    work[0].end()
    assert stolen.read_text().count("name_node") == 1
    with keys.used_by("mallory"):
        assert "does not hold a valid key" in cluster.client("ls", "/").err
    assert b"HEALTHY" in cluster.client("fsck", "/").out


def test_a_web_password_is_its_users_key_to_the_namenode(keys: KeyFiles) -> None:
    with keys.used_by("alice"):
        word = keys.cluster.client("issueKey", "--web").out.decode().rstrip("\n")
    settings = load(str(keys.cluster.config))
    with FileSystem(settings, acting=ByKey("alice", word)) as fs:
        assert fs.user == "alice" and fs.home == "/user/alice"
        fs.write_bytes("by_web", BYTES)
        assert fs.read_bytes("by_web") == BYTES and fs.stat("by_web").owner == "alice"
        assert "user=alice, access=WRITE" in refused(lambda: fs.mkdir("/user/bob/x"))
    for user, other in (("bob", word), ("alice", word[:-1] + ("A" if word[-1] != "A" else "B"))):
        with FileSystem(settings, acting=ByKey(user, other)) as fs:
            assert "does not hold a valid key" in refused(lambda: fs.stat("/"))
    assert word not in repr(ByKey("alice", word))
