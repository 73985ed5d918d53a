"""Runs the command line in process, on a file system in memory."""

import io
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence
from unittest.mock import patch

import pytest

from data_service.shell import connections
from data_service.shell.main import main
from tests.support.models.memory_file_system import MemoryFileSystem


class Result(NamedTuple):
    """What one command gave."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> List[str]:
        """Standard output, line by line."""
        return self.out.splitlines()


class Shell:
    """A person at a keyboard. Works in a folder of its own, in the time zone UTC."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.filesystem = MemoryFileSystem()
        self.folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        monkeypatch.setattr(connections, "_open", {})
        monkeypatch.setattr(connections, "open_file_system", lambda config: self.filesystem)

    def __enter__(self) -> "Shell":
        self._monkeypatch.setenv("TZ", "UTC")
        self._monkeypatch.setenv("HOME", str(self.folder))
        time.tzset()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._monkeypatch.undo()
        time.tzset()

    def run(self, *argv: str, stdin: Optional[bytes] = None) -> Result:
        """Run one command line; bytes that are no UTF-8 come back as surrogates."""
        return run_in_process(argv, stdin)

    def good(self, *argv: str, stdin: Optional[bytes] = None) -> str:
        """Run a command that must succeed in silence; its standard output."""
        result = self.run(*argv, stdin=stdin)
        assert (result.status, result.err) == (0, ""), result
        return result.out

    def bad(self, *argv: str, status: int = 1, stdin: Optional[bytes] = None) -> str:
        """Run a command that must fail with this status and no output; its errors."""
        result = self.run(*argv, stdin=stdin)
        assert (result.status, result.out) == (status, ""), result
        return result.err

    def local(self, name: str, data: bytes = b"") -> Path:
        """A local file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


def run_in_process(argv: Sequence[str], stdin: Optional[bytes] = None) -> Result:
    """Call `main` as a program in this process would, with streams of its own."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape") for _ in range(2)]
    source = io.TextIOWrapper(io.BytesIO(stdin or b""), "utf-8")
    with patch.object(sys, "stdin", source):
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            status = main(list(argv))
    return Result(status, *map(_text, streams))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode("utf-8", "surrogateescape")
