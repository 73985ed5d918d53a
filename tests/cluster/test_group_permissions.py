"""What a group may do, a superuser, and who asks for what lies behind a shut directory.

`worker` and `helper` share the group `shift`, `chief` is of `supergroup`, `outsider` of no group:
config.ini says so, and no operating system has to. See also `test_permissions.py`.
"""

from pathlib import Path
from typing import Iterator, List, NamedTuple

import pytest

from data_service.client import main
from data_service.shell import connections
from tests.support.clusters.cluster import Cluster

OWNER, FELLOW, CHIEF, OUTSIDER = "worker", "helper", "chief", "outsider"
TOP = "/groups"


class Answer(NamedTuple):
    """What one command gave."""

    status: int
    out: str
    err: str


class People:
    """Runs commands as different users, below a directory that anybody may write to."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, local: Path
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.local = str(local)

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

    def refused(self, user: str, *argv: str) -> str:
        """A command that must be refused for want of permission; the message."""
        answer = self.run(user, *argv)
        assert answer.status == 1 and "Permission denied" in answer.err, (user, argv, answer)
        return answer.err

    def make(self, path: str, mode: str, content: str = "") -> None:
        """A file, or with a slash at the end a directory, of OWNER and the shift."""
        if path.endswith("/"):
            self.allowed(CHIEF, "mkdir", path)
        else:
            self.allowed(CHIEF, "put", "-f", content or self.local, path)
        self.allowed(CHIEF, "chown", f"{OWNER}:shift", path)
        self.allowed(CHIEF, "chmod", mode, path)


@pytest.fixture
def people(
    shared_cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
) -> Iterator[People]:
    """The users, with the shared cluster as the one that they mean."""
    monkeypatch.setenv(connections.CONFIG_VARIABLE, str(shared_cluster.config))
    monkeypatch.setattr(connections, "_open", {})
    local = tmp_path / "local"
    local.write_bytes(b"some bytes\n")
    made = People(monkeypatch, capsys, local)
    made.allowed(CHIEF, "mkdir", TOP)
    made.allowed(CHIEF, "chmod", "777", TOP)
    yield made
    made.allowed(CHIEF, "rm", "-r", TOP)
    connections.forget()


READS = [["cat"], ["head"], ["checksum"]]
WRITES = [["appendToFile", "LOCAL"], ["truncate", "4"], ["setrep", "1"], ["touch", "-m"],
          ["put", "-f", "LOCAL"]]  # fmt: skip


def ids(command: List[str]) -> str:
    """The name of a test's parameters."""
    return command[0]


@pytest.mark.parametrize("command", READS, ids=ids)
def test_the_group_reads_where_the_mode_says_so(people: People, command: List[str]) -> None:
    people.make(f"{TOP}/f", "640")
    for user in (OWNER, FELLOW, CHIEF):
        people.allowed(user, *command, f"{TOP}/f")
    assert "access=READ, " in people.refused(OUTSIDER, *command, f"{TOP}/f")
    people.allowed(CHIEF, "chmod", "604", f"{TOP}/f")
    people.refused(FELLOW, *command, f"{TOP}/f")
    people.allowed(OUTSIDER, *command, f"{TOP}/f")


@pytest.mark.parametrize("command", WRITES, ids=ids)
def test_the_group_writes_where_the_mode_says_so(people: People, command: List[str]) -> None:
    words = [people.local if word == "LOCAL" else word for word in command]
    people.make(f"{TOP}/f", "660")
    message = people.refused(OUTSIDER, *words, f"{TOP}/f")
    assert f'access=WRITE, inode="{TOP}/f":{OWNER}:shift:-rw-rw----' in message
    people.allowed(FELLOW, *words, f"{TOP}/f")
    people.make(f"{TOP}/f", "640")
    people.refused(FELLOW, *words, f"{TOP}/f")
    people.allowed(OWNER, *words, f"{TOP}/f")
    people.make(f"{TOP}/f", "446")
    people.refused(OWNER, *words, f"{TOP}/f")
    people.allowed(OUTSIDER, *words, f"{TOP}/f")
    people.make(f"{TOP}/f", "000")
    people.allowed(CHIEF, *words, f"{TOP}/f")


def test_the_group_works_in_its_directory(people: People) -> None:
    people.make(f"{TOP}/d/", "770")
    for command in (["mkdir"], ["touchz"], ["put", people.local]):
        people.refused(OUTSIDER, *command, f"{TOP}/d/x")
        people.allowed(FELLOW, *command, f"{TOP}/d/x")
        people.refused(OUTSIDER, "mv", f"{TOP}/d/x", f"{TOP}/x")
        people.allowed(OWNER, "mv", f"{TOP}/d/x", f"{TOP}/d/y")
        people.refused(OUTSIDER, "rm", "-r", f"{TOP}/d/y")
        people.allowed(OWNER, "rm", "-r", f"{TOP}/d/y")
    people.refused(OUTSIDER, "ls", f"{TOP}/d")
    people.allowed(FELLOW, "ls", f"{TOP}/d")


BEHIND = [["cat"], ["checksum"], ["stat"], ["ls", "-d"], ["setrep", "1"], ["touch"],
          ["truncate", "1"], ["chmod", "600"], ["rm"], ["du"], ["count"]]  # fmt: skip


@pytest.mark.parametrize("command", BEHIND, ids=ids)
def test_everything_needs_x_on_the_way(people: People, command: List[str]) -> None:
    people.make(f"{TOP}/d/", "750")
    people.make(f"{TOP}/d/f", "666")
    path = f"{TOP}/d/f"
    message = people.refused(OUTSIDER, *command, path)
    assert f'user={OUTSIDER}, access=EXECUTE, inode="{TOP}/d":{OWNER}:shift:drwxr-x---' in message
    people.allowed(OWNER, *command, path)


def test_new_inodes_belong_to_their_maker_and_the_parents_group(people: People) -> None:
    people.make(f"{TOP}/d/", "777")
    people.allowed(OUTSIDER, "mkdir", f"{TOP}/d/sub")
    people.allowed(OUTSIDER, "put", people.local, f"{TOP}/d/sub/f")
    told = people.allowed(OUTSIDER, "stat", "%u %g %a", f"{TOP}/d/sub", f"{TOP}/d/sub/f")
    assert told == f"{OUTSIDER} shift 755\n{OUTSIDER} shift 644\n", "umask 022"


def test_a_member_of_the_supergroup_is_asked_nothing(people: People) -> None:
    people.make(f"{TOP}/d/", "000")
    people.make(f"{TOP}/d/f", "000")
    for command in (["ls", TOP + "/d"], ["cat", TOP + "/d/f"], ["chmod", "600", TOP + "/d/f"],
                    ["chown", OUTSIDER, TOP + "/d/f"], ["chgrp", "any", TOP + "/d/f"],
                    ["mv", TOP + "/d/f", TOP + "/d/g"], ["rm", TOP + "/d/g"]):  # fmt: skip
        people.allowed(CHIEF, *command)
    people.refused(OWNER, "ls", TOP + "/d")


def test_a_group_is_given_by_its_members_only(people: People) -> None:
    people.make(f"{TOP}/f", "644")
    people.allowed(CHIEF, "chgrp", "other", f"{TOP}/f")
    people.allowed(OWNER, "chgrp", "shift", f"{TOP}/f")
    answer = people.run(OWNER, "chgrp", "supergroup", f"{TOP}/f")
    assert answer.status == 1 and f"User {OWNER} does not belong to supergroup" in answer.err
    answer = people.run(FELLOW, "chgrp", "other", f"{TOP}/f")
    assert answer.status == 1 and f"user={FELLOW} is not the owner" in answer.err
