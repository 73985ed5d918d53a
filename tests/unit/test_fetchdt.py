"""fetchdt: a delegation token in a file."""

import stat
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.protocol.delegation_tokens import Delegation, seal
from tests.support.terminal.shell import Shell

HERS = Delegation(7, "alice", "etl", "user:hue", 1_764_265_200_000, 1_764_870_000_000, 1, "00" * 8)
TOKEN = seal(HERS, b"k" * 32)


@pytest.fixture(name="shell")
def _shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


class Office:
    """The namenode's part; `heard` is what it was asked."""

    def __init__(self, shell: Shell) -> None:
        self.heard: List[str] = []
        self.token = TOKEN
        for name in ("delegation_token", "renew_delegation_token", "cancel_delegation_token"):
            setattr(shell.filesystem, name, getattr(self, name))

    def delegation_token(self, renewer: str = "") -> str:
        """See FileSystem."""
        self.heard.append(f"get for {renewer!r}")
        return self.token

    def renew_delegation_token(self, token: str) -> int:
        """See FileSystem."""
        self.heard.append(f"renew {token == TOKEN}")
        return 1_764_351_600_000

    def cancel_delegation_token(self, token: str) -> None:
        """See FileSystem."""
        self.heard.append(f"cancel {token == TOKEN}")


def test_a_token_is_got_prolonged_explained_and_cancelled(shell: Shell) -> None:
    office = Office(shell)
    path = shell.folder / "token"
    assert shell.good("fetchdt", "--renewer", "etl", "token") == ""
    assert path.read_text() == TOKEN + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert shell.good("fetchdt", "--renew", "token") == "good until 2025-11-28T17:40:00Z\n"
    assert shell.good("fetchdt", "--print", "token") == (
        "Token 7 for alice, renewer etl, got by user:hue, issued 2025-11-27T17:40:00Z, good until "
        "2025-12-04T17:40:00Z at most\n"
    )
    assert shell.good("fetchdt", "--cancel", "token") == ""
    assert shell.good("fetchdt", "token") == ""
    assert office.heard == ["get for 'etl'", "renew True", "cancel True", "get for ''"]


@pytest.mark.parametrize(
    "words", [["--renew", "--cancel", "f"], ["--print", "--renewer", "x", "f"], [], ["a", "b"]]
)
def test_two_deeds_at_once_are_none(shell: Shell, words: List[str]) -> None:
    office = Office(shell)
    result = shell.run("fetchdt", *words)
    assert result.status != 0 and "Usage" in result.err and office.heard == []


def test_what_is_no_token_is_told(shell: Shell) -> None:
    office = Office(shell)
    (shell.folder / "odd").write_bytes(b"\xff" * 100_000)
    assert "no delegation token" in shell.run("fetchdt", "--print", "odd").err
    assert "No such file" in shell.run("fetchdt", "--renew", "missing").err
    office.token = ""
    assert "in mode simple nobody needs a token" in shell.run("fetchdt", "new").err
    assert not (shell.folder / "new").exists()
