"""main: generic options, usage, exit statuses, standard output, the warm process."""

import errno
import gc
import importlib
import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Callable, Iterator, List, Optional

import pytest

from data_service.filesystem.users import current_user
from data_service.shell import commands, connections, streams
from data_service.shell.main import main, parse_generic
from data_service.shell.manual import DETAILS
from data_service.shell.table import COMMANDS
from tests.support.models.memory_file_system import MemoryFileSystem
from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import LocalFileError, SettingsError, Unavailable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def test_every_row_of_the_table_has_its_function() -> None:
    for name, command in COMMANDS.items():
        function = getattr(importlib.import_module(command.module), command.function)
        assert function.__doc__, name
        assert command.summary and not command.summary.endswith("."), name
        assert command.tool in ("fs", "dfsadmin", name)
    assert set(DETAILS) <= set(COMMANDS)


def test_every_module_of_a_command_has_its_row() -> None:
    found = {f"{commands.__name__}.{module.name}" for module in iter_modules(commands.__path__)}
    assert found == {command.module for command in COMMANDS.values()}


def test_commands_with_and_without_a_dash(shell: Shell) -> None:
    shell.filesystem.write("/f")
    for words in (["ls"], ["-ls"], ["dfs", "-ls"], ["fs", "ls"], ["admin", "ls"]):
        assert shell.good(*words, "-C", "/") == "/f\n"


def test_generic_options() -> None:
    words = ["--config", "c", "-D", "dfs.replication=1", "-Ddfs.umaskmode=2=3", "dfs", "-fs",
             "hdfs://x:1", "-ls", "-D"]
    defined = {"dfs.replication": "1", "fs.permissions.umask-mode": "2=3"}
    generic = parse_generic(words)
    assert generic == (["-ls", "-D"], "c", defined, "hdfs://x:1", "dfs")
    assert parse_generic(["--config=c=d", "ls"]).config == "c=d"
    assert parse_generic(["dfs", "dfs"]).words == ["dfs"]
    assert parse_generic(["-jt", "local", "ls"]).words == ["ls"]


def test_a_generic_option_without_its_value(shell: Shell) -> None:
    assert shell.bad("--config", status=255) == "Missing argument for option: --config\n"
    assert shell.bad("-fs", status=255) == "Missing argument for option: -fs\n"


def test_unknown_commands(shell: Shell) -> None:
    for name in ("foo", "-foo"):
        error = shell.bad(name, "x", status=255)
        assert error == f"{name}: Unknown command\n--help lists all commands.\n"
    assert "Did you mean mkdir? " in shell.bad("mkdri", "/x", status=255)


def test_no_command_after_dfs_shows_the_usage(shell: Shell) -> None:
    error = shell.bad("dfs", status=255)
    assert error.startswith("Usage: hadoop fs [generic options]\n")
    assert all(f"\t[-{name}" in error for name in COMMANDS)


def test_bad_usage(shell: Shell) -> None:
    # Two lines, not how all commands are called: the message must stay on the screen.
    assert shell.bad("mkdir", status=255).splitlines() == [
        "-mkdir: Not enough arguments: expected 1 but got 0",
        "Usage: hadoop fs [generic options] -mkdir [-p] <path> ...",
    ]
    assert shell.bad("ls", "-Z", status=255).startswith("-ls: Illegal option -Z\n")
    many = shell.bad("head", "a", "b", status=255)
    assert many.startswith("-head: Too many arguments: expected 1 but got 2\n")


def test_help_and_usage(shell: Shell) -> None:
    assert shell.good("usage", "mkdir", "-ls").splitlines() == [
        "Usage: hadoop fs [generic options] -mkdir [-p] <path> ...",
        f"Usage: hadoop fs [generic options] -ls {COMMANDS['ls'].usage}",
    ]
    assert shell.good("help", "rmdir").splitlines() == [
        "-rmdir [--ignore-fail-on-non-empty] <dir> ... :",
        "  Delete empty directories.",
        "  --ignore-fail-on-non-empty  a directory that is not empty is no error",
    ]
    everything = shell.good("help")
    assert all(f"\n-{name} " in everything for name in COMMANDS)
    assert shell.good("-usage").count("\t[-") == len(COMMANDS)
    assert shell.bad("help", "foo", status=255).startswith("-help: `foo': Unknown command\n")
    overview = shell.good("--help")
    assert all(f"  {name} " in overview for name in COMMANDS)


def test_help_is_asked_for_in_many_ways(shell: Shell) -> None:
    wanted = shell.good("help", "mkdir")
    for words in (["mkdir", "--help"], ["-mkdir", "-h"], ["dfs", "-mkdir", "--help"]):
        assert shell.good(*words) == wanted
    assert shell.good("report", "-help") == shell.good("help", "report")
    assert shell.good("haadmin", "-help") == shell.good("help", "haadmin")
    shell.filesystem.write("/f", bytes(2048))
    assert "2.0 K" in shell.good("du", "-h", "/") or "2 K" in shell.good("du", "-h", "/")
    assert shell.good("ls", "--help") == shell.good("help", "ls")
    assert shell.good("--version").startswith("PyHDFS ")


def test_the_configuration_may_be_named_behind_the_command(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parse_generic(["ls", "/", "--config", "c"])[:2] == (["ls", "/"], "c")
    assert parse_generic(["ls", "--config=c", "/"])[:2] == (["ls", "/"], "c")
    assert parse_generic(["cat", "--", "--config"])[:2] == (["cat", "--", "--config"], None)
    assert "Missing argument" in shell.bad("ls", "/", "--config", status=255)


def test_who_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HADOOP_USER_NAME", "alice")
    monkeypatch.delenv("PYHDFS_USER", raising=False)
    assert current_user() == "alice"
    monkeypatch.setenv("PYHDFS_USER", "bob")
    assert current_user() == "bob"


def test_old_names(shell: Shell) -> None:
    shell.filesystem.write("/d/f", b"1")
    result = shell.run("-lsr", "-C", "/")
    assert result == (0, "/d\n/d/f\n", "lsr: DEPRECATED: Please use 'ls -R' instead.\n")
    assert shell.run("dus", "/d").out == "1  1  /d\n"
    assert shell.run("rmr", "/d") == (
        0, "Deleted /d\n", "rmr: DEPRECATED: Please use '-rm -r' instead.\n")
    # What goes wrong is told under the name that was typed.
    assert shell.run("-rmr", "/no").err.endswith("\nrmr: `/no': No such file or directory\n")
    assert "\n-dus: Illegal option -Z\n" in shell.run("dus", "-Z").err


def test_a_namenode_that_is_down_is_one_line(shell: Shell) -> None:
    shell.filesystem.fail("stat", Unavailable("cannot reach the name_node at localhost:1800"))
    error = shell.bad("ls", "/a", "/b", "/c")
    assert error == "ls: cannot reach the name_node at localhost:1800\n"


def test_a_wrong_config_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(config: Optional[str]) -> Any:
        raise SettingsError("c.ini:3: found x, expected y")

    monkeypatch.setattr(connections, "open_file_system", refuse)
    assert shell.bad("ls", "/", status=2) == "ls: c.ini:3: found x, expected y\n"
    assert shell.bad("report", status=2) == "report: c.ini:3: found x, expected y\n"


def test_an_error_of_the_system_is_one_line(shell: Shell) -> None:
    def raise_it(path: str) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    shell.filesystem.stat = raise_it  # type: ignore[assignment]
    assert shell.bad("ls", "/") == "ls: Too many open files\n"


def test_an_interrupt(shell: Shell) -> None:
    def interrupt(path: str) -> None:
        raise KeyboardInterrupt

    shell.filesystem.stat = interrupt  # type: ignore[assignment]
    assert shell.bad("ls", "/", status=130) == "ls: Interrupted\n"


def test_a_warm_process_keeps_its_connection(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: List[Optional[str]] = []

    def open_file_system(config: Optional[str]) -> MemoryFileSystem:
        opened.append(config)
        return MemoryFileSystem()

    monkeypatch.setattr(connections, "open_file_system", open_file_system)
    for _ in range(3):
        shell.good("ls", "/")
    assert opened == [None]
    shell.good("--config", "other.ini", "ls", "/")
    monkeypatch.setenv("PYHDFS_USER", "alice")
    shell.good("ls", "/")
    shell.good("mkdir", "/a")
    assert opened == [None, "other.ini", None]
    kept = list(connections._open.values())
    connections.forget()
    assert [filesystem.closed for filesystem in kept] == [True] * 3


def test_threads_share_one_connection(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: List[MemoryFileSystem] = []
    together = threading.Barrier(2)

    def open_file_system(config: Optional[str]) -> MemoryFileSystem:
        together.wait()
        made.append(MemoryFileSystem())
        return made[-1]

    monkeypatch.setattr(connections, "open_file_system", open_file_system)
    threads = [threading.Thread(target=main, args=(["mkdir", "/d"],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made_one.closed for made_one in made) == [False, True]


class Pipe(io.RawIOBase):
    """A raw output that takes some bytes, then does something else."""

    def __init__(self, room: int, then: Callable[[], Optional[int]]) -> None:
        super().__init__()
        self.taken = b""
        self._room = room
        self._then = then

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any) -> Optional[int]:
        """A few bytes at a time, as a pipe may."""
        if not self._room:
            return self._then()
        count = min(self._room, 7, len(data))
        self._room -= count
        self.taken += bytes(data[:count])
        return count


def raise_error(error: OSError) -> Callable[[], None]:
    """A function that raises it."""

    def act() -> None:
        raise error

    return act


def write_all(monkeypatch: pytest.MonkeyPatch, pipe: Pipe, *argv: str) -> int:
    """Run a command with a pipe as standard output."""
    stdout = io.TextIOWrapper(io.BufferedWriter(pipe), "utf-8")
    monkeypatch.setattr(sys, "stdout", stdout)
    return main(list(argv))


def test_partial_writes_are_completed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 600
    shell.filesystem.write("/f", data)
    pipe = Pipe(len(data), lambda: 0)
    assert write_all(monkeypatch, pipe, "cat", "/f") == 0
    assert pipe.taken == data


def test_a_reader_that_goes_away_ends_it_quietly(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    shell.filesystem.write("/f", b"x" * 200_000)
    pipe = Pipe(10, raise_error(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    assert write_all(monkeypatch, pipe, "cat", "/f", "/f") == 141
    assert capfd.readouterr().err == ""
    assert shell.filesystem.calls.count("cat") == 1


def test_a_full_disk_behind_standard_output(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    full = OSError(errno.ENOSPC, "No space left on device")
    assert write_all(monkeypatch, Pipe(10, raise_error(full)), "ls", "-d", "/") == 1
    assert errors.getvalue() == "ls: standard output: No space left on device\n"


def test_output_without_bytes_below_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.filesystem.write("/é", b"1")
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    assert main(["ls", "-C", "/"]) == 0
    assert stdout.getvalue() == "/é\n"


def test_text_outputs_get_whole_characters(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "x" + "é" * 50_000  # What is given away in pieces ends within a character.
    shell.filesystem.write("/a", text.encode())
    shell.filesystem.write("/torn", "é".encode()[:1])
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    assert main(["cat", "/a", "/torn"]) == 0
    assert stdout.getvalue() == text + "\ufffd"


def test_closed_outputs(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["ls", "-d", "/"]) == 1
    assert main(["mkdir", "/a"]) == 0


def test_standard_input_without_bytes_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("é"))
    assert streams.Input().read(10) == "é".encode()
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(LocalFileError, match="Bad file descriptor"):
        streams.Input()


def test_standard_input_that_does_not_block_is_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    with open(readable, "r", encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        found = streams.Input()
        feeder = threading.Timer(0.05, lambda: (os.write(writable, b"late"), os.close(writable)))
        feeder.start()
        assert found.read(10) == b"late"
        assert found.read(10) == b""
        feeder.join()


def test_the_launcher_starts_light() -> None:
    """What `client.py ls` needs before it needs the cluster; every module costs a person time."""
    code = (
        "import sys; before = set(sys.modules); import data_service.shell.main, "
        "data_service.shell.commands.ls; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )  # fmt: skip
    heavy = {"argparse", "rpyc", "socket", "subprocess", "inspect", "dataclasses", "readline",
             "concurrent.futures", "threading", "tempfile", "shutil", "ssl", "logging"}
    assert heavy & set(done.stdout.split()) == set()


def test_a_command_needs_little_besides_rpyc() -> None:
    """All that `client.py ls` imports of the standard library, and RPyC does not: a person waits
    for every module. What only some commands need is imported by them, and what moves bytes when
    the first byte is to move."""
    code = (
        "import sys, rpyc; before = set(sys.modules); import data_service.shell.main, "
        "data_service.shell.commands.ls; "
        "from data_service.filesystem import FileSystem; FileSystem().close(); "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    imported = done.stdout.split()
    ours = {"data_service", "zookeeper"}
    known = {"typing", "_typing", "dataclasses", "copy", "json", "_json", "pwd"}
    assert {name.split(".")[0] for name in imported} - ours <= known
    library = "data_service.filesystem"
    of_bytes = (f"{library}.reading", f"{library}.writing", f"{library}.transport")
    assert not [name for name in imported if name.startswith((*of_bytes, "data_service.stubs"))]


def test_a_programs_command_leaves_its_collector_as_it_was(shell: Shell) -> None:
    before = gc.get_threshold()
    shell.good("help")
    assert gc.get_threshold() == before


def test_dfsadmin_shows_its_own_commands(shell: Shell) -> None:
    shown = shell.good("dfsadmin", "-help")
    assert shown.startswith("Usage: hdfs dfsadmin\n") and "[-report" in shown
    assert "[-ls " not in shown and "[-fsck " not in shown
    assert shell.bad("dfsadmin", status=255) == shown
