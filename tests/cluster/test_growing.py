"""From one of each to what survives the loss of any one, by the commands of the README."""

import os
import shutil
import signal
import threading
from pathlib import Path
from typing import List

from data_service.filesystem import FileSystem
from scripts.supervision.processes import identity
from tests.support.clusters.ports import Ports
from tests.support.clusters.scripted import Site
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.settings import load

CONTENT = b"what was put before, and while the cluster grew"


class Writer:
    """A client that goes on putting small files, and knows which were acknowledged."""

    def __init__(self, site: Site) -> None:
        self.paths: List[str] = []
        self.errors: List[DfsError] = []
        self._site = site
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, name="writer")
        self._thread.start()

    def _write(self) -> None:
        try:
            with FileSystem(str(self._site.config)) as file_system:
                while not self._stopping.wait(0.05):
                    path = f"/grown/{len(self.paths)}"
                    file_system.write_bytes(path, CONTENT)
                    self.paths.append(path)
        except DfsError as error:
            self.errors.append(error)

    def go_on(self) -> None:
        """Until some more files were put."""
        before = len(self.paths)
        wait_until(lambda: self.errors or len(self.paths) > before + 3, what="more files")
        assert self.errors == []

    def stop(self) -> None:
        """No more; there was no error."""
        self._stopping.set()
        self._thread.join()
        assert self.errors == []


def grow_config(site: Site, ports: Ports) -> None:
    """Name two more zookeepers, two more metadata services, and a second namenode."""
    text = site.config.read_text("utf-8")
    for role, more in (("zookeeper", 2), ("metadata", 2), ("name_node", 1)):
        added = "".join(f", {ports.host}:{ports.take()}" for _ in range(more))
        text = text.replace(f"{role}_hosts = {site.addresses[role]}\n",
                            f"{role}_hosts = {site.addresses[role]}{added}\n")
    site.config.write_text(text, "utf-8")


def done(site: Site, *argv: str) -> str:
    """What a command of `scripts/cluster.py` says, which succeeds."""
    answer = site.cluster(*argv)
    assert answer.status == 0, answer
    return answer.out


def test_a_cluster_grows_while_it_is_used_and_then_survives_its_first_disk(site: Site) -> None:
    ports = Ports()
    done(site, "start")
    assert site.client("put", str(site.config), "/before").status == 0
    before = site.client("cat", "/before").out
    grow_config(site, ports)
    writer = Writer(site)
    try:
        writer.go_on()
        out = done(site, "start")
        for role in ("zookeeper_2", "metadata_1", "metadata_2", "name_node_1"):
            assert f"{role} " in out
        for index in range(3):
            done(site, "restart", "data_node", str(index))
        writer.go_on()
        done(site, "restart", "name_node", "0")
        wait_until(lambda: has_grown(site), what="the decision of three metadata services")
        writer.go_on()
        lose_the_first_disk(site)
        writer.go_on()
        done(site, "start")
        lose_the_leader(site)
        writer.go_on()
    finally:
        writer.stop()
        ports.close()
    with FileSystem(str(site.config)) as file_system:
        assert all(file_system.read_bytes(path) == CONTENT for path in writer.paths)
        assert file_system.read_bytes("/before").decode() == before


def has_grown(site: Site) -> bool:
    """Whether three metadata services decide: until then the first one's word is needed."""
    logs = site.cluster("logs", "-n", "1000", "name_node").out.splitlines()
    return any("members.changed " in line and "members=3" in line for line in logs)


def lose_the_first_disk(site: Site) -> None:
    """The metadata service that once was the only one, with all that it kept."""
    settings = load(str(site.config))
    pid = site.records()["metadata"]
    os.kill(pid, signal.SIGKILL)
    place = Path(settings.metadata.directory_of(settings.metadata.hosts[0]))
    wait_until(lambda: not identity(pid))
    shutil.rmtree(place)


def lose_the_leader(site: Site) -> None:
    """The namenode that leads, and does not come back."""
    states = site.client("haadmin", "-getAllServiceState").out.splitlines()
    leading = next(index for index, line in enumerate(states) if line.split()[1] == "active")
    role = "name_node_1" if leading else "name_node"
    os.kill(site.records()[role], signal.SIGKILL)
