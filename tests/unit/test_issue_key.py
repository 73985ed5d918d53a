"""issueKey: for whom a key file is made, and for whom never."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, cast

import pytest

from data_service.shell.commands.issue_key import issue_key
from data_service.shell.failures import UsageError
from zookeeper.fabric import key_file, revocation, web_password
from zookeeper.fabric.credentials import KEY_FILE_VARIABLE
from zookeeper.fabric.errors import InvalidArgument, SettingsError
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.key_file import ClusterKey
from zookeeper.fabric.keys import CallerKey
from zookeeper.fabric.settings import load


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "cluster.key").touch(0o600)
    (tmp_path / "cluster.key").write_bytes(b"k" * 32)
    (tmp_path / "config.ini").write_text("[security]\nmode = secret\nkey_file = cluster.key\n")
    return tmp_path


def issued(folder: Path, *words: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    settings = load(str(folder / "config.ini"))
    session = SimpleNamespace(
        filesystem=SimpleNamespace(settings=settings, user="alice"),
        out=SimpleNamespace(text=out.write),
    )
    issue_key(cast(Any, session), list(words))
    return out.getvalue()


@pytest.mark.parametrize("name", ["alice", "alice@EXAMPLE.COM", "-x", "é" * 50, "a.b_c$"])
def test_who_gets_a_key_can_be_revoked(folder: Path, name: str) -> None:
    text = issued(folder, "--", name) if name[0] == "-" else issued(folder, name)
    assert f"principal user:{name}\n" in text
    (folder / "revoked").write_text(f"user:{name}\n", "utf-8")
    assert list(revocation.read(str(folder / "revoked"))) == [f"user:{name}"]


ODD = [
    "", ".", "..", "a/b", "../etc", "a b", "a\u00a0b", "a\tb", "a\nprincipal user:root", "a\r",
    "a#b", "a:b", "name_node", "data_node", "gateway", "user", "\ud800", "\u202ea", "\x1b[2J",
    "a" * 101, "é" * 51,
]  # fmt: skip


@pytest.mark.parametrize("option", ["", "--gateway"])
@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_a_name_that_could_be_taken_for_something_else_gets_none(
    folder: Path, name: str, option: str
) -> None:
    with pytest.raises(InvalidArgument, match="expected 1 to 100 bytes"):
        issued(folder, *filter(None, [option]), name)


CLUSTER = ClusterKey(b"k" * 32)


def key_of(user: str, key: CallerKey) -> CallerKey:
    """What a user's key of this moment must be."""
    (own,) = CLUSTER.calling("name_node", f"user:{user}", key.issued)
    return own


@pytest.mark.parametrize("words", [["alice"], []])
def test_who_has_the_clusters_key_has_everybodys_web_password(
    folder: Path, words: List[str]
) -> None:
    text = issued(folder, "--web", *words)
    key = web_password.parse(text.rstrip("\n"))
    assert text.endswith("\n") and key == key_of("alice", key) and key.issued > 1764265200


def test_a_user_finds_his_web_password_in_his_key_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "alice.key").touch(0o600)
    (folder / "alice.key").write_text(
        key_file.issue([CLUSTER], Principal("user", "alice"), 1764265200)
    )
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(folder / "alice.key"))
    for words in (["--web"], ["--web", "alice"]):
        key = web_password.parse(issued(folder, *words).rstrip("\n"))
        assert key == key_of("alice", key) and key.issued == 1764265200
    with pytest.raises(SettingsError, match="found the key of user:alice, expected that of user:b"):
        issued(folder, "--web", "bob")


def test_the_web_password_comes_from_the_newest_key(folder: Path) -> None:
    (folder / "old.key").touch(0o600)
    (folder / "old.key").write_bytes(b"o" * 32)
    with open(folder / "config.ini", "a", encoding="ascii") as file:
        file.write("old_key_file = old.key\n")
    key = web_password.parse(issued(folder, "--web").rstrip("\n"))
    assert key == key_of("alice", key)


def test_only_users_have_a_web_password(folder: Path) -> None:
    with pytest.raises(UsageError):
        issued(folder, "--web", "--gateway", "hue")
    with pytest.raises(InvalidArgument, match="expected 1 to 100 bytes"):
        issued(folder, "--web", "name_node")


def test_the_daemons_of_a_machine_get_one_file(folder: Path) -> None:
    text = issued(folder, "--datanode", "1", "--metadata", "--zookeeper")
    named = [line.partition(" ")[2] for line in text.splitlines() if line.startswith("principal")]
    assert named == ["data_node:localhost:1802", "zookeeper", "metadata"]
    for words in ([], ["--metadata", "alice"], ["--gateway", "web", "--zookeeper"]):
        with pytest.raises(UsageError, match="the daemons of a machine"):
            issued(folder, *words)
