"""setrep, chmod, chown, chgrp, touch, test -r and -w, and what -p keeps."""

import os
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.protocol.health import FsckRow, Health
from data_service.shell.commands import setrep
from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import PermissionDenied

DAY_MS = 86_400_000


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    "mode, before, after",
    [
        ("750", 0o644, 0o750),
        ("0750", 0o1644, 0o750),
        ("1777", 0o644, 0o1777),
        ("700", 0o1777, 0o700),
        ("u+x", 0o644, 0o744),
        ("go-rwx", 0o777, 0o700),
        ("a=r", 0o777, 0o444),
        ("=rx", 0o200, 0o555),
        ("+w", 0o444, 0o666),
        ("-x", 0o755, 0o644),
        ("u=rwx,g=rx,o-rwx", 0o007, 0o750),
        ("a-w,u+w", 0o666, 0o644),
        ("+X", 0o644, 0o644),
        ("g+X", 0o744, 0o754),
        ("+t", 0o755, 0o1755),
        ("-t", 0o1755, 0o755),
        ("u+x,+t", 0o600, 0o1600),  # All that is for all comes after, and has no x.
        ("u+r,u-x", 0o300, 0o200),
        ("u+t", 0o755, 0o755),
        ("a=rwx,u-w", 0o1644, 0o477),
        ("o=rt", 0o1777, 0o1774),
        ("u+-x", 0o700, 0o600),
        ("+r,+w", 0o000, 0o222),
        ("g+w , o+x,", 0o600, 0o621),
        ("a+rX,u=r", 0o600, 0o444),
    ],
)
def test_modes_of_files(shell: Shell, mode: str, before: int, after: int) -> None:
    shell.filesystem.write("/f")
    shell.filesystem.set_mode("/f", before)
    assert shell.good("chmod", mode, "/f") == ""
    assert oct(shell.filesystem.stat("/f").mode) == oct(after)


def test_a_directory_always_gets_the_big_x(shell: Shell) -> None:
    shell.filesystem.write("/d/sub/f")
    shell.filesystem.set_mode("/d", 0o600)
    shell.good("chmod", "-R", "a+rX", "/d")
    found = [oct(shell.filesystem.stat(path).mode) for path in ("/d", "/d/sub", "/d/sub/f")]
    assert found == ["0o755", "0o755", "0o644"]


def test_chmod_changes_only_what_differs(shell: Shell) -> None:
    shell.filesystem.write("/f")
    shell.filesystem.fail("set_mode", PermissionDenied("Permission denied. user=x is not ..."))
    assert shell.good("chmod", "644", "/f") == ""
    assert shell.bad("chmod", "600", "/f", "/no") == (
        "chmod: changing permissions of '/f': Permission denied. user=x is not ...\n"
        "chmod: `/no': No such file or directory\n"
    )


@pytest.mark.parametrize("mode", [
    "x", "8", "77", "2777", "u+s", "u~x", "u+", "o=", "u+x g+x", "u+x,7", ",u+x", "٧٧٧"])
def test_what_is_no_mode(shell: Shell, mode: str) -> None:
    shell.filesystem.write("/f")
    assert shell.bad("chmod", mode, "/f", status=255).startswith(
        f"-chmod: chmod : mode '{mode}' does not match the expected pattern.\n"
    )


@pytest.mark.parametrize("command", ["chmod", "chown", "chgrp", "setrep"])
def test_a_value_and_a_path_are_needed(shell: Shell, command: str) -> None:
    assert shell.bad(command, "1", status=255).startswith(
        f"-{command}: Not enough arguments: expected 2 but got 1\n"
    )


def owner_of(shell: Shell, path: str) -> str:
    """The owner and group of a path."""
    return shell.good("stat", "%u:%g", path).strip()


@pytest.mark.parametrize(
    "given, expected",
    [
        ("alice", "alice:supergroup"),
        ("alice:", "alice:supergroup"),
        ("alice:staff", "alice:staff"),
        (":staff", "root:staff"),
        ("a-b_c.d/e@fg", "a-b_c.d/e@fg:supergroup"),
    ],
)
def test_chown(shell: Shell, given: str, expected: str) -> None:
    shell.filesystem.write("/d/f")
    assert shell.good("chown", given, "/d") == ""
    assert (owner_of(shell, "/d"), owner_of(shell, "/d/f")) == (expected, "root:supergroup")
    shell.good("chown", "-R", given, "/d")
    assert owner_of(shell, "/d/f") == expected


def test_chgrp(shell: Shell) -> None:
    shell.filesystem.write("/d/f")
    shell.good("chgrp", "-R", "staff", "/d")
    assert (owner_of(shell, "/d"), owner_of(shell, "/d/f")) == ("root:staff", "root:staff")
    assert shell.bad("chgrp", "a b", "/d", status=255).startswith(
        "-chgrp: 'a b' does not match expected pattern for group\n"
    )


def test_what_is_no_owner(shell: Shell) -> None:
    shell.filesystem.write("/f")
    assert shell.bad("chown", "a b", "/f", status=255).startswith(
        "-chown: 'a b' does not match expected pattern for [owner][:group].\n"
    )
    assert shell.bad("chown", ":", "/f", status=255).startswith(
        "-chown: ':' does not specify owner or group.\n"
    )


def test_chown_asks_only_for_changes(shell: Shell) -> None:
    shell.filesystem.write("/f")
    sentence = "User alice is not a super user (non-super user cannot change owner)."
    shell.filesystem.fail("set_owner", PermissionDenied(sentence))
    shell.good("chown", "root:supergroup", "/f")
    assert shell.bad("chown", "bob", "/f") == f"chown: changing ownership of '/f': {sentence}\n"
    assert shell.bad("chgrp", "x", "/f") == f"chgrp: changing ownership of '/f': {sentence}\n"


def times_of(shell: Shell, path: str) -> List[int]:
    """The times of access and change of a path."""
    return [int(text) for text in shell.good("stat", "%X %Y", path).split()]


def test_touch_sets_the_times_that_are_asked_for(shell: Shell) -> None:
    shell.filesystem.write("/f", b"x")
    atime, mtime = times_of(shell, "/f")
    assert shell.good("touch", "-t", "19700102:000001", "-a", "/f") == ""
    assert times_of(shell, "/f") == [DAY_MS + 1000, mtime]
    shell.good("touch", "-m", "-t", "19700103:000000", "/f")
    assert times_of(shell, "/f") == [DAY_MS + 1000, 2 * DAY_MS]
    shell.good("touch", "-a", "-m", "-t", "19700104:000000", "/f")
    assert times_of(shell, "/f") == [3 * DAY_MS, 3 * DAY_MS]
    shell.good("touch", "/f")
    assert min(times_of(shell, "/f")) > max(atime, mtime)
    assert shell.filesystem.contents("/f") == b"x"


def test_touch_makes_files(shell: Shell) -> None:
    shell.good("touch", "-c", "/f")
    assert shell.filesystem.tree() == []
    shell.good("touch", "/f")
    shell.good("touch", "-t", "19700102:000000", "/g")
    assert shell.filesystem.contents("/f") == b"" and times_of(shell, "/g") == [DAY_MS, DAY_MS]
    assert shell.bad("touch", "/no/f") == (
        "touch: `/no/f': No such file or directory: `hdfs://localhost:1800/no/f'\n"
    )
    shell.filesystem.mkdir("/d")
    assert shell.bad("touch", "/d") == "touch: `/d': Is a directory\n"
    assert shell.bad("touch", "-t", "yesterday", "/f", status=255).startswith(
        "-touch: Unable to parse the specified timestamp yesterday. "
        "The expected format is yyyyMMdd:HHmmss\n"
    )
    error = shell.bad("touch", "/f", "-t", status=255)
    assert error.startswith("-touch: option -t requires 1 argument.\n")


def test_touch_counts_on_from_times_that_no_calendar_has(shell: Shell) -> None:
    shell.good("touch", "/f", "-t", "19700132:000001")
    assert times_of(shell, "/f") == [31 * DAY_MS + 1000] * 2
    shell.good("touch", "-t", "19701301:256061", "/f")
    assert times_of(shell, "/f") == [366 * DAY_MS + 7_261_000] * 2


def test_setrep(shell: Shell) -> None:
    shell.filesystem.write("/d/f")
    shell.filesystem.write("/d/sub/g")
    assert shell.good("setrep", "2", "/d") == (
        "Replication 2 set: /d/f\nReplication 2 set: /d/sub/g\n"
    )
    assert shell.good("setrep", "-R", "3", "/d/f") == "Replication 3 set: /d/f\n"
    assert shell.good("stat", "%r", "/d/f", "/d/sub/g", "/d") == "3\n2\n0\n"
    assert shell.good("setrep", "-w", "2", "/d/f") == (
        "Replication 2 set: /d/f\nWaiting for /d/f ... done\n"
    )


@pytest.mark.parametrize(
    "number, message",
    [
        ("0", "-setrep: replication must be >= 1\n"),
        (
            "two",
            "setrep: Illegal replication, a positive integer expected\n"
            '-setrep: For input string: "two"\n',
        ),
        (
            "40000",
            "setrep: Illegal replication, a positive integer expected\n"
            '-setrep: Value out of range. Value:"40000" Radix:10\n',
        ),
    ],
)
def test_what_is_no_replication(shell: Shell, number: str, message: str) -> None:
    shell.filesystem.write("/f")
    assert shell.bad("setrep", number, "/f", status=255).startswith(message)


def test_setrep_of_too_many_and_of_nothing(shell: Shell) -> None:
    shell.filesystem.write("/f")
    assert shell.bad("setrep", "1000", "/f", "/no") == (
        "setrep: Requested replication factor of 1000 exceeds maximum of 512 for /f\n"
        "setrep: `/no': No such file or directory\n"
    )


def test_setrep_waits_until_it_is_so(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.filesystem.write("/f", b"x" * 2000)
    states = [Health(2, 3, 0, 0), Health(2, 2, 0, 1), Health(2, 2, 0, 0)]
    seen: List[FsckRow] = []
    fsck = shell.filesystem.fsck

    def next_state(path: str) -> Iterator[FsckRow]:
        shell.filesystem.health[path] = states[len(seen)]
        seen.extend(fsck(path))
        return iter(seen[-1:])

    monkeypatch.setattr(shell.filesystem, "fsck", next_state)
    monkeypatch.setattr(setrep, "POLL_SECONDS", 0)
    monkeypatch.setattr(setrep, "DOT_SECONDS", 0)
    assert shell.good("setrep", "-w", "2", "/f") == (
        "Replication 2 set: /f\nWaiting for /f ...\n"
        "WARNING: the waiting time may be long for DECREASING the number of replications.\n"
        ".. done\n"
    )
    assert len(seen) == len(states)


def test_what_may_be_read_and_written(shell: Shell) -> None:
    shell.filesystem.write("/f")
    shell.filesystem.set_owner("/f", "alice")
    shell.filesystem = shell.filesystem.as_user("alice")
    for mode, read, write in ((0o600, 0, 0), (0o400, 0, 1), (0o200, 1, 0), (0, 1, 1)):
        shell.filesystem.set_mode("/f", mode)
        assert shell.run("test", "-r", "/f") == (read, "", "")
        assert shell.run("test", "-w", "/f") == (write, "", "")
    assert shell.run("test", "-r", "/no") == (1, "", "")


def facts(shell: Shell, path: str) -> str:
    """Everything that -p keeps."""
    return shell.good("stat", "%a %u %g %X %Y", path).strip()


def test_put_keeps_times_owner_and_mode(shell: Shell) -> None:
    shell.local("t/f", b"x")
    for name in ("t/f", "t"):
        os.chmod(name, 0o640 if name == "t/f" else 0o710)
        os.utime(name, ns=(DAY_MS * 10**6, 2 * DAY_MS * 10**6))
    # Reading them will change their times of access.
    before = {name: facts(shell, f"file://{shell.folder}/{name}") for name in ("t", "t/f")}
    shell.good("put", "-p", "t", "/t")
    assert {name: facts(shell, f"/{name}") for name in before} == before
    local = facts(shell, f"file://{shell.folder}/t/f")
    shell.good("moveFromLocal", "-p", "t/f", "/moved")
    assert facts(shell, "/moved") == local
    assert not os.path.exists("t/f")
    shell.filesystem.fail("set_owner", PermissionDenied("No."))
    shell.local("kept")
    assert shell.bad("moveFromLocal", "-p", "kept", "/kept") == "moveFromLocal: No.\n"
    assert os.path.exists("kept"), "a source stays until its copy is as it was told to be"


def test_cp_keeps_what_the_letters_say(shell: Shell) -> None:
    shell.filesystem.write("/a", b"x")
    shell.good("chmod", "600", "/a")
    shell.good("chown", "alice:staff", "/a")
    for letters, kept in (("", "aotm"), ("t", "tm"), ("o", "o"), ("p", "a"), ("topax", "aotm")):
        shell.good("cp", "-f", "-t", "1", f"-p{letters}", "/a", "/b")
        found = dict(zip("aogmt", facts(shell, "/b").split()))
        source = dict(zip("aogmt", facts(shell, "/a").split()))
        same = {letter for letter in "aotm" if found[letter] == source[letter]}
        assert same == set(kept), letters
    assert shell.bad("cp", "-pz", "/a", "/b", status=255).startswith(
        "-cp: No attribute for z\n"
    )
    assert shell.good("cp", "/a", "/-p") == "" and facts(shell, "/-p") != facts(shell, "/a")


@pytest.mark.parametrize("number", [" 1", "1 ", "1_0", "0x1", "1.0", "x", "٣"])
def test_numbers_of_replicas_are_plain(shell: Shell, number: str) -> None:
    shell.filesystem.write("/f")
    assert shell.bad("setrep", number, "/f", status=255).startswith(
        "setrep: Illegal replication, a positive integer expected\n"
        f'-setrep: For input string: "{number}"\n')
    assert shell.good("setrep", "+2", "/f") == "Replication 2 set: /f\n"
