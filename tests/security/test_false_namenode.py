"""Somebody else answers at the namenode's address: a client gives him neither its disk nor its
person's terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from data_service.protocol.files import ContentSummary, FileStatus, Locations
from data_service.protocol.health import (
    AilingMember,
    ClusterStatus,
    DataNodeStatus,
    FsckRow,
)
from data_service.protocol.namenode_calls import NameNodeCalls
from data_service.protocol.nodes import NodeStats
from tests.support.clusters.cluster import ROOT
from tests.support.clusters.ports import Ports
from tests.support.terminal.shell import Result, run_in_process
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import serves
from zookeeper.fabric.errors import PermissionDenied
from zookeeper.fabric.identity import NAME_NODE, Principal
from zookeeper.fabric.rpc import Service
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Address, NetworkSettings

UGLY = "\x1b]0;owned\x07\x1b[2J\r\n\u202e\x9b31m"


@serves(NameNodeCalls)
class FalseNameNode(Service):
    """Has one directory, /d, with one empty file of the name that is told."""

    name = ""

    def stat(self, path: str) -> FileStatus:
        """As if there were everything."""
        return status(path.rpartition("/")[2], "d" if path in ("/", "/d") else "f")

    def list(self, path: str, after: str, limit: int) -> Tuple[List[FileStatus], bool]:
        """The one file, or itself."""
        return [status(self.name if path == "/d" else path.rpartition("/")[2])], False

    def block_locations(self, path: str, offset: int, length: int) -> Locations:
        """An empty file."""
        return Locations(status(path.rpartition("/")[2]), ())

    def content_summary(self, path: str) -> ContentSummary:
        """Of one file."""
        return ContentSummary(1, 1, 0, 0)

    def fsck(self, path: str, after: str, limit: int) -> Tuple[List[FsckRow], bool]:
        """The same file."""
        return [FsckRow(f"/d/{self.name}", status(self.name), (), self.name, self.name)], False

    def open_files(self, path: str, after: int, limit: int) -> Tuple[List[FsckRow], int, bool]:
        """It is being written."""
        rows, _ = self.fsck(path, "", 1)
        return rows, 1, False

    list_open_files = open_files

    def require_superuser(self) -> None:
        """Everybody is one."""

    def delete(self, op: Any, path: str, recursive: bool) -> bool:
        """Refused, in its own words."""
        raise PermissionDenied(self.name)

    def datanode_reports(self) -> Tuple[DataNodeStatus, ...]:
        """One, whose every word is ugly."""
        words = (self.name, self.name, 1801, self.name, "live")
        return (DataNodeStatus(*words, NodeStats(1, 1, 1, 1, 1, 1), 0.0, 0.0, self.name),)

    def cluster_status(self) -> ClusterStatus:
        """All is well, in its own words."""
        return ClusterStatus(1, 1, 0, True, self.name, 0, 0, 0, 0, 1, self.name)

    def ailing_members(self) -> Tuple[AilingMember, ...]:
        """One, of whom every word is ugly."""
        return (AilingMember(self.name, self.name, self.name, self.name),)

    def groups(self, user: str) -> Tuple[str, ...]:
        """One, with that name."""
        return (self.name,)


def status(name: str, kind: str = "f") -> FileStatus:
    """What is told of the file, or of a directory."""
    return FileStatus(name, 7, kind, 0, 1, 4096, FalseNameNode.name, "g", 0o755, 1000, 1000)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a client works whose namenode is the false one; its target is `in/target`."""
    ports = Ports()
    address = Address(ports.host, ports.take())
    server = Server(
        f"{NAME_NODE}@{address}", *address, FalseNameNode, Credentials(Principal(NAME_NODE)),
        NetworkSettings(),
    )  # fmt: skip
    server.start()
    config = tmp_path / "config.ini"
    config.write_text(
        f"[name_node]\nname_node_hosts = {address}\n[client]\nretry_seconds = 1\n"
    )
    monkeypatch.setenv("PYHDFS_CONFIG", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    work = tmp_path / "in"
    (work / "target").mkdir(parents=True)
    monkeypatch.chdir(work)
    yield tmp_path
    server.stop()
    ports.close()


def contents(folder: Path) -> Dict[str, bytes]:
    """All that lies outside of the target."""
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if "target" not in path.parts
    }


NO_NAMES = ["..", ".", "", "../out", "../../out", "/tmp/out", "a/../../../out", "a/b", "x\0y"]
FETCHING = {
    "get": ("get", "/d", "target"),
    "copyToLocal": ("copyToLocal", "-p", "/d", "target"),
    "cp": ("cp", "/d", "file://{target}"),
    "getmerge": ("getmerge", "/d", "target/merged"),
    "glob": ("get", "/d/*", "target"),
    "crc": ("get", "-crc", "/d", "target"),
}


@pytest.mark.parametrize("command", FETCHING.values(), ids=FETCHING)
@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_nothing_is_written_outside_of_the_target(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, command: Tuple[str, ...]
) -> None:
    monkeypatch.setattr(FalseNameNode, "name", "owner")
    assert run(folder, "get", "/d", "target").status == 0
    monkeypatch.setattr(FalseNameNode, "name", name)
    before = contents(folder)
    done = run(folder, *command)
    assert contents(folder) == before
    assert done.status == 1 and "Traceback" not in done.err and len(done.err.splitlines()) == 1
    assert set(os.listdir(folder / "in" / "target")) <= {"d", "merged"}
    assert os.listdir(folder / "in" / "target" / "d") in (["owner"], ["owner", ".owner.crc"])


def run(folder: Path, *command: str) -> Result:
    """The client, in this process."""
    target = folder / "in" / "target"
    return run_in_process([word.replace("{target}", str(target)) for word in command])


SHOWING = [
    ("ls", "/d"), ("ls", "-R", "/d"), ("find", "/d"), ("du", "/d"), ("count", "-v", "/d/*"),
    ("stat", "%n %u", "/d/*"), ("fsck", "/d", "-files", "-openforwrite"), ("report",), ("groups",),
    ("listOpenFiles",), ("printTopology",), ("rm", "-skipTrash", "/d/x"),
]  # fmt: skip


@pytest.mark.parametrize("command", SHOWING, ids=" ".join)
def test_no_word_of_it_steers_a_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: Tuple[str, ...]
) -> None:
    monkeypatch.setattr(FalseNameNode, "name", UGLY)
    shown = on_terminal(folder, *command)
    assert "owned" in shown and "Traceback" not in shown
    assert all(line.isprintable() for line in shown.replace("\t", " ").split("\n")), ascii(shown)


def on_terminal(folder: Path, *command: str) -> str:
    """What a person sees of a command."""
    near, far = pty.openpty()
    client: Any = subprocess.Popen(
        [sys.executable, str(ROOT / "data_service" / "client.py"), *command],
        stdin=subprocess.DEVNULL, stdout=far, stderr=far, cwd=folder,
    )  # fmt: skip
    os.close(far)
    shown = b""
    try:
        while True:
            shown += os.read(near, 65536)
    except OSError:
        pass  # All that had the terminal open have ended.
    os.close(near)
    client.wait()
    # The terminal's own ends of lines, and the line of progress that is taken away.
    return shown.decode("utf-8").replace("\r\n", "\n").replace("\r\x1b[K", "")
