"""Credentials from files: whose they are, and that files are read again when they change."""

import os
import shutil
import time
from pathlib import Path
from typing import List, Mapping

import pytest

from tests.support.links.loopback import Recorder
from zookeeper.fabric import key_file, keys, revocation
from zookeeper.fabric.auth import SECRET, Hello
from zookeeper.fabric.credentials import (
    KEY_FILE_VARIABLE,
    KeyCredentials,
    cluster_keys,
    key_credentials,
)
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.key_file import ClusterKey
from zookeeper.fabric.settings import SecuritySettings, Settings

FIRST, SECOND = ClusterKey(b"1" * 32), ClusterKey(b"2" * 32)
NAMENODE, ALICE = Principal("name_node"), Principal("user", "alice")
ADDRESS = "10.0.0.1:1800"


def keep(path: Path, content: bytes) -> None:
    """Put a file in the place of another at once, as who replaces keys does."""
    fresh = path.with_name("fresh")
    fresh.write_bytes(content)
    fresh.chmod(0o600)
    fresh.replace(path)


def issue(path: Path, principal: Principal, *cluster: ClusterKey) -> None:
    """A key file for a principal."""
    keep(path, key_file.issue(cluster or (FIRST,), principal, int(time.time())).encode())


def settings(folder: Path, principal_file: str = "key") -> Settings:
    """Those of mode `secret`, with every file below a folder."""
    return Settings(
        security=SecuritySettings(
            mode=SECRET,
            key_file=str(folder / principal_file),
            old_key_file=str(folder / "old"),
            revoked_file=str(folder / "revoked"),
        )
    )


def of(folder: Path, principal: Principal = NAMENODE) -> KeyCredentials:
    """Those of a daemon that has the cluster's key."""
    return key_credentials(settings(folder), principal)


def ids(credentials: KeyCredentials, server: str = "zookeeper") -> List[bytes]:
    """From which cluster keys those come with which a server is dialled."""
    return [one.key_id for one in credentials.to(server, ADDRESS)]


def lets_in(credentials: KeyCredentials, *cluster: ClusterKey, issued: float = 0) -> List[bool]:
    """Whether somebody with keys from each of these is let in."""
    moment = int(issued or time.time())
    answers = []
    for one in cluster:
        key = one.calling(str(credentials.principal), "user:alice", moment)[0]
        hello = Hello(SECRET, b"n" * 32, "user:alice", key.key_id, moment)
        answers.append(credentials.keyring().key_of(hello, time.time()) == key.key)
    return answers


FIRST_ID, SECOND_ID = keys.key_id(FIRST.key), keys.key_id(SECOND.key)


def test_a_cluster_key_is_replaced_while_its_holder_runs(tmp_path: Path) -> None:
    keep(tmp_path / "key", FIRST.key)
    namenode = of(tmp_path)
    assert ids(namenode) == [FIRST_ID] and lets_in(namenode, FIRST, SECOND) == [True, False]
    shutil.copy2(tmp_path / "key", tmp_path / "old")
    keep(tmp_path / "key", SECOND.key)
    # What both sides know already comes first.
    assert ids(namenode) == [FIRST_ID, SECOND_ID]
    assert namenode.cluster_key() == FIRST.key
    assert lets_in(namenode, FIRST, SECOND) == [True, True]
    (tmp_path / "old").unlink()
    assert ids(namenode) == [SECOND_ID] and lets_in(namenode, FIRST, SECOND) == [False, True]
    assert namenode.cluster_key() == SECOND.key


def test_a_keyring_is_made_anew_only_when_a_file_changed(tmp_path: Path) -> None:
    keep(tmp_path / "key", FIRST.key)
    namenode = of(tmp_path)
    before = namenode.keyring()
    assert namenode.keyring() is before
    keep(tmp_path / "revoked", b"user:bob\n")
    after = namenode.keyring()
    assert after is not before and namenode.keyring() is after


@pytest.mark.parametrize("spoiled", ["key", "revoked"])
@pytest.mark.parametrize("how", ["gone", "empty", "open", "pipe"])
def test_what_cannot_be_read_any_more_stays_in_force(
    tmp_path: Path, spoiled: str, how: str
) -> None:
    keep(tmp_path / "key", FIRST.key)
    keep(tmp_path / "revoked", b"user:alice 2000-01-01T00:00:00Z\n")
    namenode = of(tmp_path)
    assert lets_in(namenode, FIRST) == [True] and lets_in(namenode, FIRST, issued=99) == [False]
    with Recorder() as log:
        if how == "gone":
            (tmp_path / spoiled).unlink()
        elif how == "pipe":
            # Who reads it would wait for a writer, and with him everybody who wants to come in.
            (tmp_path / spoiled).unlink()
            os.mkfifo(tmp_path / spoiled, 0o600)
        elif how == "empty":
            keep(tmp_path / spoiled, b"" if spoiled == "key" else b"nonsense\n")
        else:
            (tmp_path / spoiled).chmod(0o666)
        assert lets_in(namenode, FIRST) == [True]
        assert lets_in(namenode, FIRST, issued=99) == [False]
        assert ids(namenode) == [FIRST_ID]
    # Anybody may know who is revoked.
    assert len(log.records) == (0 if (spoiled, how) == ("revoked", "open") else 1)


def test_a_list_that_could_not_be_read_for_a_moment_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path / "key", FIRST.key)
    short = [True, True]

    def read(path: str) -> Mapping[str, float]:
        if short:
            short.pop()
            raise SettingsError(f"{path}: cannot read this list: Too many open files")
        return read_list(path)

    read_list = revocation.read
    monkeypatch.setattr(revocation, "read", read)
    namenode = of(tmp_path)
    with Recorder() as log:
        keep(tmp_path / "revoked", b"user:alice\n")
        # Nothing changes between these but that there are descriptors again.
        assert [lets_in(namenode, FIRST) for _ in range(3)] == [[True], [True], [False]]
        assert len(log.records) == 1


def test_a_list_that_is_replaced_while_a_thread_reads_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path / "key", FIRST.key)

    def read(path: str) -> Mapping[str, float]:
        found = read_list(path)
        if not found:
            # Here another thread is faster, and learns more.
            keep(tmp_path / "revoked", b"user:alice\n")
            assert lets_in(namenode, FIRST) == [False]
        return found

    read_list = revocation.read
    monkeypatch.setattr(revocation, "read", read)
    namenode = of(tmp_path)
    keep(tmp_path / "revoked", b"")
    namenode.keyring()
    assert lets_in(namenode, FIRST) == [False]


def test_who_names_a_list_that_is_not_there_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Under a name that was written wrongly it would revoke nobody, unseen."""
    keep(tmp_path / "key", FIRST.key)
    of(tmp_path)
    assert len(caplog.records) == 1 and "nobody is revoked" in caplog.text
    caplog.clear()
    keep(tmp_path / "revoked", b"")
    of(tmp_path)
    of(tmp_path, ALICE)
    assert not caplog.records


def test_whose_list_of_revoked_is_empty_forgives(tmp_path: Path) -> None:
    keep(tmp_path / "key", FIRST.key)
    namenode = of(tmp_path)
    keep(tmp_path / "revoked", b"user:alice\n")
    assert lets_in(namenode, FIRST) == [False]
    keep(tmp_path / "revoked", b"")
    assert lets_in(namenode, FIRST) == [True]


def test_who_was_given_both_keys_comes_with_the_newest(tmp_path: Path) -> None:
    keep(tmp_path / "key", SECOND.key)
    keep(tmp_path / "old", FIRST.key)
    hers = tmp_path / "hers"
    hers.mkdir()
    issue(hers / "key", ALICE, *cluster_keys(settings(tmp_path)))
    assert ids(of(hers, ALICE)) == [SECOND_ID, FIRST_ID]


def test_who_has_no_key_reads_where_it_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SettingsError) as caught:
        of(tmp_path, ALICE)
    assert f"cannot read {tmp_path}/key, and found no key" in caught.value.message
    assert f"{tmp_path}/.pyhdfs/key: ask the administrator" in caught.value.message


def test_an_issued_key_is_its_owners_only(tmp_path: Path) -> None:
    issue(tmp_path / "key", ALICE)
    alice = key_credentials(settings(tmp_path), ALICE)
    assert ids(alice) == ids(alice, "name_node") == [FIRST_ID]
    assert ids(alice, "metadata") == ids(alice, "data_node") == []
    assert alice.cluster_key() == b""
    for other in (Principal("user", "bob"), NAMENODE):
        with pytest.raises(SettingsError, match="found the key of user:alice, expected that of"):
            of(tmp_path, other)
    with Recorder() as log:
        issue(tmp_path / "key", Principal("user", "bob"))
        assert ids(alice) == [FIRST_ID] and len(log.records) == 1


def test_a_user_needs_no_list_of_the_revoked(tmp_path: Path) -> None:
    """It may be for the daemons' eyes only."""
    issue(tmp_path / "key", ALICE)
    (tmp_path / "revoked").mkdir()
    assert ids(key_credentials(settings(tmp_path), ALICE)) == [FIRST_ID]
    keep(tmp_path / "key", FIRST.key)
    with pytest.raises(SettingsError, match="cannot read this list"):
        of(tmp_path)


def test_who_only_seems_to_be_somebody_is_whom_his_key_names(tmp_path: Path) -> None:
    issue(tmp_path / "key", ALICE)
    somebody = Principal("user", "somebody")
    assert credentials_of(settings(tmp_path), somebody, assumed=True).principal == ALICE
    with pytest.raises(SettingsError):
        credentials_of(settings(tmp_path), somebody)
    keep(tmp_path / "key", FIRST.key)
    assert credentials_of(settings(tmp_path), somebody, assumed=True).principal == somebody


def test_a_datanode_is_let_in_where_it_is_meant(tmp_path: Path) -> None:
    node = Principal("data_node", "h:1")
    issue(tmp_path / "key", node)
    credentials = of(tmp_path, node)
    assert lets_in(credentials, FIRST, SECOND) == [True, False]
    # Callers of datanodes have tickets, which are of now.
    assert lets_in(credentials, FIRST, issued=time.time() - 1000) == [False]
    with pytest.raises(SettingsError):
        of(tmp_path, Principal("data_node", "h:2"))


def test_a_user_keeps_his_key_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cluster_key = settings(tmp_path, "not-for-users")
    with pytest.raises(SettingsError) as caught:
        key_credentials(cluster_key, ALICE)
    assert "client.py issueKey alice" in caught.value.message
    assert str(tmp_path / ".pyhdfs" / "key") in caught.value.message
    (tmp_path / ".pyhdfs").mkdir()
    issue(tmp_path / ".pyhdfs" / "key", ALICE)
    assert ids(key_credentials(cluster_key, ALICE)) == [FIRST_ID]
    # A daemon has the settings' file, or none.
    with pytest.raises(SettingsError, match="not-for-users: cannot read"):
        key_credentials(cluster_key, NAMENODE)


def test_the_environment_names_a_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path / "key", FIRST.key)
    keep(tmp_path / "other", SECOND.key)
    keep(tmp_path / "old", FIRST.key)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "other"))
    assert ids(of(tmp_path)) == ids(of(tmp_path, ALICE)) == [SECOND_ID]
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "absent"))
    for principal in (ALICE, NAMENODE):
        with pytest.raises(SettingsError, match="absent: cannot read"):
            of(tmp_path, principal)


def test_without_a_key_file_the_setting_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="found no key_file in"):
        key_credentials(Settings(security=SecuritySettings(mode=SECRET)), NAMENODE)
    assert os.environ.get(KEY_FILE_VARIABLE) is None
