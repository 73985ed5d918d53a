"""Files of keys: which are refused, and that an issued one says what its owner needs."""

import math
import os
import stat
from pathlib import Path

import pytest

from data_service.protocol.nodes import Ticket
from zookeeper.fabric import key_file, keys, revocation
from zookeeper.fabric.auth import SECRET, Introduction
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.key_file import ClusterKey, IssuedKeys
from zookeeper.fabric.keys import CallerKey

CLUSTER, OTHER = ClusterKey(b"k" * 32), ClusterKey(b"K" * 32)
NOW, ALICE = 1764265200, Principal("user", "alice")
NAMENODE, ZOOKEEPER = (
    keys.server_key(CLUSTER.key, server) for server in ("name_node", "zookeeper")
)


def written(path: Path, content: bytes, mode: int = 0o600) -> str:
    """A file with this content."""
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_cluster_key_is_the_bytes_of_its_file(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "key", b"\n" * 32, mode)
    assert key_file.read(path) == ClusterKey(b"\n" * 32)


@pytest.mark.parametrize("extra", [stat.S_IRGRP, stat.S_IROTH, stat.S_IWGRP, stat.S_IWOTH])
def test_a_key_that_others_can_open_is_refused(tmp_path: Path, extra: int) -> None:
    path = written(tmp_path / "key", b"k" * 32, 0o600 | extra)
    with pytest.raises(SettingsError, match="found access for group or others"):
        key_file.read(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "key", b"k" * 32)
    os.chown(path, 12345, 12345)
    with pytest.raises(SettingsError, match=f"^{path}: found a key file of user id 12345"):
        key_file.read(path)


def test_who_shows_a_key_shows_only_which_one_it_is() -> None:
    (caller,) = CLUSTER.calling("name_node", "user:alice", NOW)
    issued = IssuedKeys("user:alice", (("name_node", caller),), {caller.key_id: NAMENODE})
    shown = repr((CLUSTER, caller, issued, Introduction(SECRET, ALICE, *caller), Ticket(*caller)))
    assert shown.count(caller.key_id.hex()) == 4 and "user:alice" in shown
    for secret in (CLUSTER.key, caller.key, NAMENODE):
        assert repr(secret)[2:-1] not in shown and secret.hex() not in shown


@pytest.mark.parametrize("length", [0, 31, 4097])
def test_a_key_of_a_wrong_length_is_refused(tmp_path: Path, length: int) -> None:
    path = written(tmp_path / "key", b"k" * length)
    with pytest.raises(SettingsError, match=f"found a key of {length} bytes, expected 32 to 4096"):
        key_file.read(path)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read this key file: No such file"):
        key_file.read(str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match="found a key of zeros"):
        key_file.read(written(tmp_path / "zeros", bytes(32)))
    with pytest.raises(SettingsError, match="found more than 65536 bytes"):
        key_file.read(written(tmp_path / "long", b"k" * 65537))
    tmp_path.chmod(0o700)
    with pytest.raises(SettingsError, match="it is no regular file"):
        key_file.read(str(tmp_path))
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SettingsError, match="it is no regular file"):
        key_file.read(str(tmp_path / "pipe"))


def issued(tmp_path: Path, principal: str, *cluster: ClusterKey) -> IssuedKeys:
    """What a principal is given, by way of a file."""
    text = key_file.issue(cluster or (CLUSTER,), Principal.parse(principal), NOW)
    found = key_file.read(written(tmp_path / "issued", text.encode()))
    assert isinstance(found, IssuedKeys) and found.principals == (principal,)
    return found


def test_a_user_is_given_keys_to_namenode_and_zookeeper(tmp_path: Path) -> None:
    alice = issued(tmp_path, "user:alice")
    for server, key in (("name_node", NAMENODE), ("zookeeper", ZOOKEEPER)):
        own = CallerKey(keys.caller_key(key, "user:alice", NOW), keys.key_id(CLUSTER.key), NOW)
        assert alice.calling(server, "user:alice", 0) == [own]
        assert CLUSTER.calling(server, "user:alice", NOW) == [own]
        assert alice.calling(server, "user:bob", 0) == []
    for server in ("metadata", "data_node:h:1", "user:alice"):
        assert alice.calling(server, "user:alice", 0) == [] and alice.serving(server) == {}
    assert alice.allows("user:alice") and not alice.allows("user:bob")


@pytest.mark.parametrize("principal", ["data_node:10.0.0.2:1801", "zookeeper", "metadata"])
def test_a_server_is_given_its_own_key(tmp_path: Path, principal: str) -> None:
    server = issued(tmp_path, principal)
    assert server.serving(principal) == CLUSTER.serving(principal)
    assert server.serving("name_node") == server.serving("data_node:10.0.0.2:18012") == {}
    calls = principal.startswith("data_node")
    assert bool(server.calling("name_node", principal, 0)) == calls


def test_a_metadata_service_is_given_a_key_to_the_others_of_its_kind(tmp_path: Path) -> None:
    member = issued(tmp_path, "metadata")
    (key,) = member.calling("metadata", "metadata", 0)
    assert key == CLUSTER.calling("metadata", "metadata", NOW)[0]
    for server in ("name_node", "zookeeper", "data_node:h:1"):
        assert member.calling(server, "metadata", 0) == []
    for principal in ("user:alice", "data_node:h:1", "zookeeper"):
        assert issued(tmp_path, principal).calling("metadata", principal, 0) == []


def test_only_the_cluster_key_tells_the_cluster_key(tmp_path: Path) -> None:
    for principal in ("user:alice", "data_node:h:1", "zookeeper", "metadata", "gateway:web"):
        text = key_file.issue([CLUSTER], Principal.parse(principal), NOW)
        assert CLUSTER.key.hex() not in text and NAMENODE.hex() not in text
        assert (ZOOKEEPER.hex() in text) == (principal == "zookeeper")


def test_comments_can_be_left_out(tmp_path: Path) -> None:
    lines = key_file.issue([CLUSTER], ALICE, NOW).splitlines(keepends=True)
    found = key_file.read(written(tmp_path / "bare", "".join(lines[1:]).encode()))
    assert lines[0].startswith("#") and found == issued(tmp_path, "user:alice")


def test_while_two_cluster_keys_are_valid_keys_of_both_are_issued(tmp_path: Path) -> None:
    node = issued(tmp_path, "data_node:h:1", CLUSTER, OTHER)
    assert len(node.calling("name_node", "data_node:h:1", 0)) == 2
    assert set(node.serving("data_node:h:1")) == {keys.key_id(one.key) for one in (CLUSTER, OTHER)}


def test_files_of_one_principal_can_be_joined(tmp_path: Path) -> None:
    texts = [
        key_file.issue([one], Principal.parse("user:a"), NOW + number)
        for number, one in enumerate((CLUSTER, OTHER))
    ]
    found = key_file.read(written(tmp_path / "joined", "".join(texts).encode()))
    assert [key.issued for key in found.calling("name_node", "user:a", 0)] == [NOW, NOW + 1]
    for stranger in ("user:b", "zookeeper", "gateway:a"):
        mixed = texts[0] + key_file.issue([CLUSTER], Principal.parse(stranger), NOW)
        with pytest.raises(SettingsError, match="mixed:7: found no line"):
            key_file.read(written(tmp_path / "mixed", mixed.encode()))


def test_the_daemons_of_a_machine_may_have_one_file(tmp_path: Path) -> None:
    names = ("data_node:h:1", "metadata", "zookeeper", "data_node:h:2")
    texts = [
        key_file.issue([CLUSTER, OTHER], Principal.parse(name), NOW) for name in (*names, names[0])
    ]
    found = key_file.read(written(tmp_path / "machine", "".join(texts).encode()))
    for name in names:
        alone = issued(tmp_path, name, CLUSTER, OTHER)
        assert found.allows(name) and found.serving(name) == alone.serving(name) != {}
        for server in ("name_node", "zookeeper", "metadata"):
            keys_of = set(found.calling(server, name, 0))
            assert keys_of == set(alone.calling(server, name, 0))
    assert not found.allows("name_node") and found.serving("name_node") == {}
    assert not found.allows("data_node:h:3") and not found.allows("user:a")


@pytest.mark.parametrize(
    "line",
    ["name_node 00", "name_node", "issued soon", "serves xx yy", "data_node 00 00", "name_node "
     + "0" * 16 + " " + "0" * 62, "name_node " + "0" * 14 + " " + "0" * 64],
)  # fmt: skip
def test_a_line_that_nobody_understands_is_refused_unseen(tmp_path: Path, line: str) -> None:
    text = key_file.issue([CLUSTER], Principal.parse("user:a"), NOW) + line
    with pytest.raises(SettingsError) as caught:
        key_file.read(written(tmp_path / "issued", text.encode()))
    assert ":6: found no line of a key file" in caught.value.message
    assert "0000" not in caught.value.message


def test_an_issued_file_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="found no key"):
        key_file.read(written(tmp_path / "issued", b"# PyHDFS key of user:a\nprincipal user:a\n"))


# Who is revoked.


def test_revoked_are_all_keys_or_those_before_a_moment(tmp_path: Path) -> None:
    text = "# left\nuser:mallory\n\n  user:alice 2025-11-27T17:40:00Z # lost\nuser:bob #\n"
    found = revocation.read(written(tmp_path / "revoked", text.encode()))
    assert found == {"user:mallory": math.inf, "user:alice": NOW, "user:bob": math.inf}
    assert "2025-11-27T17:40:00Z" in key_file.issue([CLUSTER], Principal.parse("user:a"), NOW)


@pytest.mark.parametrize(
    "line", ["alice", "users:a", "user:a yesterday", "user:a 2025-11-27", "user:a x y", "\xff"]
)
def test_a_line_that_would_revoke_nobody_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError, match=r"revoked:2: found|cannot read"):
        revocation.read(written(tmp_path / "revoked", b"user:b\n" + line.encode("latin-1")))
