"""issueKey: for whom a key file is made, and for whom never."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from data_service.shell.commands.issue_key import issue_key
from zookeeper.fabric import revocation
from zookeeper.fabric.errors import InvalidArgument
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
        filesystem=SimpleNamespace(settings=settings), out=SimpleNamespace(text=out.write)
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
