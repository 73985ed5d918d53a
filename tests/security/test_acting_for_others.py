"""Who acts for others in a real cluster, where each has a key of his own: by tokens and as proxies,
from the call to the bytes, and past the end of a namenode."""

import getpass
import multiprocessing
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from data_service.filesystem import AuthenticationFailed, FileSystem, PermissionDenied
from data_service.filesystem.acting import ByKey, ByToken
from tests.security.test_audit_log import told
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.key_files import KeyFiles
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.disks.replicas import noise
from zookeeper.fabric.errors import DfsError, InvalidArgument, SettingsError

BYTES = noise((3 << 16) + 7, 1)
OWNER = getpass.getuser()
PROXIES = "proxy_users = hue=*, gateway:web=bob"


@pytest.fixture(scope="module", name="keys")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyFiles]:
    """Two namenodes, and keys of alice, bob, hue, and the gateway `web`."""
    folder = tmp_path_factory.mktemp("acting")
    audited = {"block_size": "64K", "replication_factor": 2, "audit_log": folder / "audit.log"}
    cluster = Cluster(folder, data_nodes=2, name_nodes=2, security="secret", name_node=audited)
    text = cluster.config.read_text("utf-8")
    cluster.config.write_text(text.replace("[security]", f"[security]\n{PROXIES}"), "utf-8")
    keys = KeyFiles(cluster)
    words = ["issueKey", "-o", str(keys.path("web")), "--gateway", "web"]
    assert cluster.client(*words).status == 0
    with cluster:
        for user in ("alice", "bob", "hue"):
            keys.issue(user)
            assert cluster.client("mkdir", "-p", f"/user/{user}").status == 0
            assert cluster.client("chown", user, f"/user/{user}").status == 0
            assert cluster.client("chmod", "700", f"/user/{user}").status == 0
        yield keys


def by(keys: KeyFiles, who: str, *acting: Any, **named: Any) -> FileSystem:
    """A client of who has this one's key file."""
    with keys.used_by(who):
        return FileSystem(str(keys.cluster.config), None, None, *acting, **named)


def token_of(keys: KeyFiles, user: str, renewer: str = "bob") -> str:
    """One that a user got with his own key."""
    with by(keys, user) as fs:
        return fs.delegation_token(renewer)


def own_checksum(keys: KeyFiles, path: str) -> Any:
    """What alice herself is told."""
    with by(keys, "alice") as fs:
        return fs.file_checksum(path)


def refused(deed: Callable[[], object]) -> str:
    """Why a deed is refused."""
    with pytest.raises((AuthenticationFailed, PermissionDenied)) as caught:
        deed()
    return str(caught.value.message)


def test_a_gateway_reads_and_writes_what_a_tokens_owner_may(keys: KeyFiles) -> None:
    token = token_of(keys, "alice")
    with by(keys, "web", ByToken(token)) as fs, by(keys, "web") as own:
        assert fs.user == "alice" and fs.home == "/user/alice"
        fs.write_bytes("report", BYTES)
        with fs.open("report", "ab") as file:
            file.write(b"more")
        fs.truncate("report", len(BYTES) - 1)
        assert fs.read_bytes("report") == BYTES[:-1] and fs.stat("report").owner == "alice"
        assert fs.file_checksum("report") == own_checksum(keys, "/user/alice/report")
        assert "user=alice" in refused(lambda: [*fs.list("/user/bob")])
        assert "user=gateway" in refused(lambda: [*own.list("/user/alice")])
    audit = Path(keys.cluster.folder / "audit.log")
    assert "true create /user/alice/report null" in told(
        audit, "alice (auth:TOKEN) via gateway:web"
    )
    assert "false listStatus /user/alice null" in told(audit, "gateway")


def test_a_token_is_good_for_whoever_has_a_key_and_for_nobody_else(keys: KeyFiles) -> None:
    token = token_of(keys, "alice")
    with by(keys, "bob", ByToken(token)) as fs:
        assert fs.exists("/user/alice") and "user=alice" in refused(lambda: [*fs.list("/user/bob")])
        assert "cannot be got by one who shows" in refused(fs.delegation_token)
    with pytest.raises(SettingsError, match="found the key of user:bob"), keys.used_by("bob"):
        FileSystem(str(keys.cluster.config), "eve", acting=ByToken(token))
    with by(keys, "web", ByToken(token[:-1] + ("A" if token[-1] != "A" else "Q"))) as fs:
        refused(lambda: fs.stat("/"))
    for odd in ("", "d1", token[:-4], token + "AAAA"):
        assert "no delegation token" in refused(lambda: by(keys, "web", ByToken(odd)))
    assert token not in repr(ByToken(token))
    record = keys.cluster.directory("metadata")
    stored = b"".join(path.read_bytes() for path in record.iterdir() if path.is_file())
    assert b"get_delegation_token" in stored and token.encode() not in stored


def test_who_cancels_ends_what_goes_on(keys: KeyFiles) -> None:
    """No call that begins after the cancelling has returned is answered, on any connection."""
    token = token_of(keys, "alice")
    over = threading.Event()
    late: List[str] = []
    ends: List[str] = []

    def ask(client: FileSystem) -> None:
        with client as fs:
            while True:
                is_over = over.is_set()
                try:
                    fs.stat("/user/alice")
                except AuthenticationFailed as error:
                    ends.append(error.message)
                    return
                if is_over:
                    late.append("answered")
                    return

    clients = [by(keys, "web", ByToken(token)) for _ in range(4)]
    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    with by(keys, "bob") as renewer:
        assert renewer.renew_delegation_token(token) > 0
        renewer.cancel_delegation_token(token)
        over.set()
        with pytest.raises(AuthenticationFailed, match="was cancelled"):
            renewer.renew_delegation_token(token)
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not late and len(ends) == 4 and all("was cancelled" in end for end in ends)


def test_a_forked_process_shows_it_on_its_own_connections(keys: KeyFiles) -> None:
    with by(keys, "web", ByToken(token_of(keys, "alice"))) as fs:
        fs.write_bytes("before", b"1")
        context = multiprocessing.get_context("fork")
        found: Any = context.Queue()

        def in_the_child() -> None:
            fs.write_bytes("forked", b"2")
            found.put((fs.stat("forked").owner, fs.read_bytes("before")))

        child = context.Process(target=in_the_child)
        child.start()
        assert found.get(timeout=PATIENCE_SECONDS) == ("alice", b"1")
        child.join(PATIENCE_SECONDS)
        assert child.exitcode == 0 and fs.read_bytes("forked") == b"2"


def revoke(keys: KeyFiles, *lines: str) -> None:
    """Just these are on the list of the revoked."""
    fresh = keys.revoked.with_name("revoked.fresh")
    fresh.write_text("".join(line + "\n" for line in lines))
    fresh.replace(keys.revoked)


def test_the_tokens_of_who_is_revoked_are_void_at_once(keys: KeyFiles) -> None:
    with by(keys, "web", ByToken(token_of(keys, "alice"))) as fs:
        assert fs.exists("/")
        revoke(keys, "user:alice")
        try:
            wait_until(lambda: _is_refused(fs), 5, "the end of the token")
            assert "of alice was revoked" in refused(lambda: fs.stat("/"))
        finally:
            revoke(keys)
        wait_until(lambda: not _is_refused(fs), 5, "the token to be good again")


def _is_refused(fs: FileSystem) -> bool:
    try:
        fs.stat("/")
    except AuthenticationFailed:
        return True
    return False


def test_a_proxy_acts_for_users_and_for_no_superuser(keys: KeyFiles) -> None:
    with by(keys, "hue", on_behalf_of="alice") as fs:
        assert fs.user == "alice"
        fs.write_bytes("by_hue", BYTES)
        assert fs.read_bytes("by_hue") == BYTES and fs.stat("by_hue").owner == "alice"
        assert "user=alice" in refused(lambda: [*fs.list("/user/hue")])
        token = fs.delegation_token("hue")
    audit = Path(keys.cluster.folder / "audit.log")
    assert "true create /user/alice/by_hue null" in told(audit, "alice (auth:PROXY) via hue")
    with by(keys, "web", ByToken(token)) as fs:
        assert fs.user == "alice" and fs.read_bytes("by_hue") == BYTES
    with by(keys, "hue") as fs:
        word = keys.cluster.client("issueKey", "--web", "hue").text.rstrip("\n")
        assert fs.renew_delegation_token(token) > 0
    with FileSystem(
        str(keys.cluster.config), acting=ByKey("hue", word), on_behalf_of="bob"
    ) as fs:
        assert [*fs.list("/user/bob")] == [] and fs.user == "bob"
    for proxy, user in (("hue", OWNER), ("alice", "bob"), ("web", "alice"), ("hue", "gateway")):
        with by(keys, proxy, on_behalf_of=user) as fs:
            with pytest.raises((PermissionDenied, InvalidArgument)):
                fs.stat("/")
    with pytest.raises(InvalidArgument, match="expected one"):
        by(keys, "hue", ByToken(token), on_behalf_of="bob")


def test_tokens_outlive_the_namenode_that_gave_them_out(keys: KeyFiles) -> None:
    """The last one here: the leader is killed."""
    good, gone = token_of(keys, "alice"), token_of(keys, "alice")
    with by(keys, "alice") as alice:
        alice.cancel_delegation_token(gone)
    with by(keys, "web", ByToken(good)) as fs, fs.open("long", "wb") as file:
        file.write(BYTES)
        keys.cluster.kill("name_node")
        file.write(BYTES)
        file.close()
        assert fs.read_bytes("long") == BYTES + BYTES and fs.stat("long").owner == "alice"
    for token, is_good in ((good, True), (gone, False)):
        with by(keys, "web", ByToken(token)) as fs:
            assert _is_refused(fs) != is_good
    with by(keys, "bob") as renewer:
        assert renewer.renew_delegation_token(good) > 0
        with pytest.raises(DfsError, match="was cancelled"):
            renewer.cancel_delegation_token(gone)
    keys.cluster.start_daemon("name_node")
