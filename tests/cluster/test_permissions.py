"""Who may do what: each rule both ways, by the owner, a member of the group, and a stranger.

The users are those of the operating system, for the namenode looks their groups up there.
"""

import getpass
import grp
import os
import pwd
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence

import pytest

from data_service.client import main
from data_service.shell import connections
from tests.support.clusters.cluster import Cluster

MEMBER, STRANGER = "daemon", "nobody"
GROUP = grp.getgrgid(pwd.getpwnam(MEMBER).pw_gid).gr_name
SUPERUSER = getpass.getuser()
SECONDS_MAX = 60

pytestmark = pytest.mark.skipif(
    SUPERUSER in (MEMBER, STRANGER), reason="needs two users besides the one who runs the tests"
)


class Answer(NamedTuple):
    """What one command gave."""

    status: int
    out: str
    err: str


class People:
    """Runs commands as different users, on a directory that is the test's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, user: str, *argv: str) -> Answer:
        """Run one command line as a user."""
        self._monkeypatch.setenv(connections.USER_VARIABLE, user)
        self._capsys.readouterr()
        status = main(list(argv))
        return Answer(status, *self._capsys.readouterr())

    def allowed(self, user: str, *argv: str) -> str:
        """A command that must succeed; its output."""
        answer = self.run(user, *argv)
        assert (answer.status, answer.err) == (0, ""), (user, argv, answer)
        return answer.out

    def refused(self, user: str, *argv: str, message: str) -> None:
        """A command that must fail with just this message."""
        answer = self.run(user, *argv)
        assert (answer.status, answer.err) == (1, f"{argv[0]}: {message}\n"), (user, argv, answer)

    def make(self, path: str, mode: str, owner: str = MEMBER) -> None:
        """A file, or with a slash at the end a directory, of this mode and owner."""
        self.allowed(SUPERUSER, *(["mkdir", "-p"] if path.endswith("/") else ["touchz"]), path)
        self.allowed(SUPERUSER, "chown", f"{owner}:{GROUP}", path)
        self.allowed(SUPERUSER, "chmod", mode, path)

    def denied(self, access: str, path: str, mode: str, user: str = STRANGER) -> str:
        """The namenode's message when the inode at `path` (of MEMBER) refuses a user."""
        return (
            f'Permission denied: user={user}, access={access}, '
            f'inode="{path}":{MEMBER}:{GROUP}:{mode}'
        )


@pytest.fixture
def people(
    shared_cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Iterator[People]:
    """The users, with the shared cluster as the one that they mean."""
    monkeypatch.setenv(connections.CONFIG_VARIABLE, str(shared_cluster.config))
    monkeypatch.setattr(connections, "_open", {})
    made = People(monkeypatch, capsys)
    made.make("/permissions/", "777", owner=SUPERUSER)
    yield made
    made.allowed(SUPERUSER, "rm", "-r", "/permissions")
    connections.forget()


@pytest.mark.parametrize("command", ["cat", "get", "tail", "head", "text", "checksum"])
def test_reading_needs_r_on_the_file(people: People, command: str) -> None:
    people.make("/permissions/f", "640")
    people.allowed(MEMBER, command, "/permissions/f")
    people.allowed(SUPERUSER, command, "/permissions/f")
    people.refused(STRANGER, command, "/permissions/f",
                   message=people.denied("READ", "/permissions/f", "-rw-r-----"))


@pytest.mark.parametrize("command", [["ls"], ["count"], ["du"], ["du", "-s"], ["ls", "-R"]])
def test_looking_into_a_directory_needs_r_and_x(people: People, command: List[str]) -> None:
    people.make("/permissions/d/", "750")
    people.make("/permissions/d/f", "644")
    people.allowed(MEMBER, *command, "/permissions/d")
    people.refused(STRANGER, *command, "/permissions/d",
                   message=people.denied("READ_EXECUTE", "/permissions/d", "drwxr-x---"))
    people.allowed(SUPERUSER, "chmod", "754", "/permissions/d")
    people.refused(STRANGER, *command, "/permissions/d",
                   message=people.denied("READ_EXECUTE", "/permissions/d", "drwxr-xr--"))
    people.allowed(SUPERUSER, "chmod", "755", "/permissions/d")
    people.allowed(STRANGER, *command, "/permissions/d")


@pytest.mark.parametrize("command", [["count"], ["du", "-s"]])
def test_counting_needs_r_and_x_on_every_directory_below(
    people: People, command: List[str]
) -> None:
    people.make("/permissions/d/", "755")
    people.make("/permissions/d/sub/", "700")
    people.allowed(MEMBER, *command, "/permissions/d")
    people.refused(STRANGER, *command, "/permissions/d",
                   message=people.denied("READ_EXECUTE", "/permissions/d/sub", "drwx------"))


@pytest.mark.parametrize("command", [["stat"], ["ls", "-d"], ["test", "-e"], ["test", "-f"]])
def test_a_status_needs_x_on_the_way_only(people: People, command: List[str]) -> None:
    people.make("/permissions/d/", "711")
    people.make("/permissions/d/f", "0000")
    people.allowed(STRANGER, *command, "/permissions/d/f")
    people.allowed(SUPERUSER, "chmod", "766", "/permissions/d")
    people.refused(STRANGER, *command, "/permissions/d/f",
                   message=people.denied("EXECUTE", "/permissions/d", "drwxrw-rw-"))
    people.allowed(MEMBER, *command, "/permissions/d/f")


def test_making_needs_w_on_the_nearest_directory_that_exists(people: People) -> None:
    people.make("/permissions/d/", "755")
    message = people.denied("WRITE", "/permissions/d", "drwxr-xr-x")
    for command in (["mkdir"], ["touchz"], ["touch"], ["put", "/dev/null"]):
        people.refused(STRANGER, *command, "/permissions/d/x", message=message)
        people.allowed(MEMBER, *command, "/permissions/d/x")
        people.allowed(MEMBER, "rm", "-r", "/permissions/d/x")
    people.refused(STRANGER, "mkdir", "-p", "/permissions/d/x/y", message=message)
    people.allowed(SUPERUSER, "chmod", "777", "/permissions/d")
    people.allowed(STRANGER, "mkdir", "-p", "/permissions/d/x/y")
    found = people.allowed(SUPERUSER, "stat", "%u %g %a", "/permissions/d/x/y")
    assert found == f"{STRANGER} {GROUP} 755\n", "the group is that of the parent"


def test_overwriting_needs_w_on_the_file(people: People, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    people.make("/permissions/d/", "777")
    people.make("/permissions/d/f", "644")
    put = ("put", "-f", str(tmp_path / "new"), "/permissions/d/f")
    people.refused(STRANGER, *put,
                   message=people.denied("WRITE", "/permissions/d/f", "-rw-r--r--"))
    assert people.allowed(SUPERUSER, "cat", "/permissions/d/f") == ""
    people.allowed(MEMBER, *put)
    assert people.allowed(SUPERUSER, "cat", "/permissions/d/f") == "new"


@pytest.mark.parametrize("command", [["setrep", "2"], ["touch", "-m"], ["touch", "-a"]])
def test_replication_and_times_need_w_on_the_file(people: People, command: List[str]) -> None:
    people.make("/permissions/f", "664", owner=SUPERUSER)
    denied = (f'Permission denied: user={STRANGER}, access=WRITE, '
              f'inode="/permissions/f":{SUPERUSER}:{GROUP}:-rw-rw-r--')
    people.refused(STRANGER, *command, "/permissions/f", message=denied)
    people.allowed(MEMBER, *command, "/permissions/f")
    people.allowed(SUPERUSER, "chmod", "o+w", "/permissions/f")
    people.allowed(STRANGER, *command, "/permissions/f")


def test_deleting_needs_w_on_the_parent(people: People) -> None:
    people.make("/permissions/d/", "755")
    people.make("/permissions/d/f", "666", owner=STRANGER)
    message = people.denied("WRITE", "/permissions/d", "drwxr-xr-x")
    people.refused(STRANGER, "rm", "/permissions/d/f", message=message)
    people.allowed(MEMBER, "rm", "/permissions/d/f")


def test_deleting_a_tree_needs_everything_on_what_is_full(people: People) -> None:
    people.make("/permissions/d/", "777")
    people.make("/permissions/d/full/", "755")
    people.make("/permissions/d/full/f", "644")
    people.make("/permissions/d/empty/", "755")
    people.refused(STRANGER, "rm", "-r", "/permissions/d/full",
                   message=people.denied("ALL", "/permissions/d/full", "drwxr-xr-x"))
    people.allowed(STRANGER, "rm", "-r", "/permissions/d/empty")
    people.allowed(MEMBER, "rm", "-r", "/permissions/d/full")


def test_the_sticky_bit_keeps_what_belongs_to_others(people: People) -> None:
    people.make("/permissions/d/", "1777", owner=SUPERUSER)
    people.make("/permissions/d/f", "666")
    sticky = (f'Permission denied by sticky bit: user={STRANGER}, '
              f'path="/permissions/d/f":{MEMBER}:{GROUP}:-rw-rw-rw-, '
              f'parent="/permissions/d":{SUPERUSER}:{GROUP}:drwxrwxrwt')
    people.refused(STRANGER, "rm", "/permissions/d/f", message=sticky)
    people.refused(STRANGER, "mv", "/permissions/d/f", "/permissions/d/g", message=sticky)
    people.allowed(MEMBER, "mv", "/permissions/d/f", "/permissions/d/g")
    people.allowed(MEMBER, "rm", "/permissions/d/g")
    people.make("/permissions/d/f", "666")
    people.allowed(SUPERUSER, "rm", "/permissions/d/f")


def test_renaming_needs_w_on_both_parents(people: People) -> None:
    people.make("/permissions/shut/", "755")
    people.make("/permissions/open/", "777")
    people.make("/permissions/shut/f", "666", owner=STRANGER)
    people.make("/permissions/open/g", "666", owner=STRANGER)
    message = people.denied("WRITE", "/permissions/shut", "drwxr-xr-x")
    for source, target in (("shut/f", "open/f"), ("open/g", "shut/g")):
        command = ("mv", f"/permissions/{source}", f"/permissions/{target}")
        people.refused(STRANGER, *command, message=message)
        people.allowed(MEMBER, *command)


def test_chmod_is_for_the_owner(people: People) -> None:
    people.make("/permissions/f", "777")
    people.refused(
        STRANGER, "chmod", "700", "/permissions/f",
        message="changing permissions of '/permissions/f': Permission denied. "
        f"user={STRANGER} is not the owner of inode=/permissions/f",
    )  # fmt: skip
    people.allowed(MEMBER, "chmod", "700", "/permissions/f")
    people.allowed(SUPERUSER, "chmod", "600", "/permissions/f")


def test_chown_is_for_the_superuser(people: People) -> None:
    people.make("/permissions/f", "777")
    deed = "changing ownership of '/permissions/f': "
    people.refused(
        MEMBER, "chown", STRANGER, "/permissions/f",
        message=f"{deed}User {MEMBER} is not a super user (non-super user cannot change owner).",
    )  # fmt: skip
    people.refused(
        STRANGER, "chown", STRANGER, "/permissions/f",
        message=f"{deed}Permission denied. user={STRANGER} is not the owner of "
        "inode=/permissions/f",
    )  # fmt: skip
    people.allowed(SUPERUSER, "chown", STRANGER, "/permissions/f")
    assert people.allowed(SUPERUSER, "stat", "%u", "/permissions/f") == f"{STRANGER}\n"


def test_chgrp_is_for_the_owner_within_their_groups(people: People) -> None:
    people.make("/permissions/f", "777")
    people.allowed(SUPERUSER, "chgrp", "another", "/permissions/f")
    deed = "changing ownership of '/permissions/f': "
    people.refused(MEMBER, "chgrp", "elsewhere", "/permissions/f",
                   message=f"{deed}User {MEMBER} does not belong to elsewhere")
    people.refused(
        STRANGER, "chgrp", GROUP, "/permissions/f",
        message=f"{deed}Permission denied. user={STRANGER} is not the owner of "
        "inode=/permissions/f",
    )  # fmt: skip
    people.allowed(MEMBER, "chgrp", GROUP, "/permissions/f")
    assert people.allowed(SUPERUSER, "stat", "%g", "/permissions/f") == f"{GROUP}\n"


def test_the_first_class_that_fits_decides(people: People) -> None:
    people.make("/permissions/f", "077")
    people.refused(MEMBER, "cat", "/permissions/f",
                   message=people.denied("READ", "/permissions/f", "----rwxrwx", MEMBER))
    people.allowed(STRANGER, "cat", "/permissions/f")
    people.make("/permissions/g", "707", owner=STRANGER)
    answer = people.run(MEMBER, "cat", "/permissions/g")
    assert answer.status == 1 and "access=READ" in answer.err, "a member is no stranger"
    people.allowed(STRANGER, "cat", "/permissions/g")


def test_only_the_superuser_commands_the_cluster(people: People) -> None:
    answer = people.run(STRANGER, "safemode", "enter")
    assert answer.status == 255
    assert answer.err == (
        f"safemode: Access denied for user {STRANGER}. Superuser privilege is required\n"
    )
    assert people.allowed(STRANGER, "safemode", "get") == "Safe mode is OFF\n"


@pytest.mark.parametrize("mode", ["600", "060", "006", "444", "222"])
def test_the_command_test_asks_the_namenode(people: People, mode: str) -> None:
    people.make("/permissions/f", mode)
    places: Dict[str, int] = {MEMBER: 0, STRANGER: 2}
    for user, place in places.items():
        for flag, bit in (("-r", 4), ("-w", 2)):
            expected = 0 if int(mode[place]) & bit else 1
            found = people.run(user, "test", flag, "/permissions/f")
            assert found == (expected, "", ""), (user, flag)
    assert people.run(SUPERUSER, "test", "-r", "/permissions/f").status == 0


def test_whole_processes_are_told_apart_too(people: People, shared_cluster: Cluster) -> None:
    people.make("/permissions/f", "640")
    outcomes: List[Sequence[object]] = []
    for user in (MEMBER, STRANGER):
        environment = dict(shared_cluster.environment("client"))
        environment[connections.USER_VARIABLE] = user
        done = subprocess.run(
            shared_cluster.client_command("cat", "/permissions/f"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=SECONDS_MAX,
        )
        outcomes.append((done.returncode, os.fsdecode(done.stderr)))
    message = people.denied("READ", "/permissions/f", "-rw-r-----")
    assert outcomes == [(0, ""), (1, f"cat: {message}\n")]
