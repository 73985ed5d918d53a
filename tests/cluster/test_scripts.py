"""The scripts that a new user meets first: scripts/quickstart and scripts/cluster.py."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

import pytest

from scripts.cluster import identity
from tests.support import configuration
from tests.support.ports import Ports

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 300
ROLES = ["zookeeper", "metadata", "name_node", "data_node_0", "data_node_1", "data_node_2"]


class Done(NamedTuple):
    """What a script did."""

    status: int
    out: str
    err: str


class Site:
    """A config.ini of its own, and the scripts run with it."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.folder = folder
        self.config = folder / "config.ini"
        self.addresses = {role: f"{ports.host}:{ports.take()}" for role in ROLES}
        sections = configuration.sections_for(folder, self.addresses, {}, {})
        configuration.write(self.config, sections)
        self.run_folder = folder / "data" / "run" / "config"

    def cluster(self, *argv: str) -> Done:
        """`scripts/cluster.py ARGUMENTS --config …`, with this Python."""
        command = [sys.executable, str(ROOT / "scripts" / "cluster.py"), *argv]
        return self.run(command + ["--config", str(self.config)], {})

    def quickstart(self, *argv: str) -> Done:
        """`scripts/quickstart`, told of config.ini by the environment, relative to its folder."""
        environment = {"PYHDFS_CONFIG": self.config.name, "PYTHON": sys.executable}
        return self.run([str(ROOT / "scripts" / "quickstart"), *argv], environment)

    def run(self, command: List[str], environment: Dict[str, str]) -> Done:
        """Run a script to its end, from the site's folder."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=SECONDS_MAX,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def pids(self) -> List[int]:
        """The processes that are on record."""
        return [json.loads(path.read_text())[0] for path in self.run_folder.glob("*.pid")]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A config.ini with free ports; whatever it started is stopped."""
    ports = Ports()
    made = Site(tmp_path, ports)
    yield made
    stopped = made.cluster("stop")
    ports.close()
    assert stopped.status == 0, stopped
    assert made.pids() == []


def assert_lines(text: str, ending: str) -> None:
    """One line a daemon, in order, that contains `ending`."""
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == ROLES, text
    assert all(ending in line for line in lines), text


def test_cluster_starts_tells_and_stops(site: Site) -> None:
    down = site.cluster("status")
    assert down.status == 1
    assert_lines(down.out, "down")

    started = site.cluster("start")
    assert (started.status, started.err) == (0, "")
    assert_lines(started.out, "is ready, pid")

    up = site.cluster("status")
    assert up.status == 0
    assert_lines(up.out, "running pid")

    again = site.cluster("start")
    assert again.status == 0
    assert_lines(again.out, "runs already")

    assert "ready zookeeper" in site.cluster("logs", "zookeeper").out
    everything = site.cluster("logs").out
    assert all(f"{role}.log" in everything for role in ROLES)
    assert "there are: zookeeper" in site.cluster("logs", "nobody").err

    pids = site.pids()
    assert all(identity(pid) for pid in pids)
    stopped = site.cluster("stop")
    assert stopped.status == 0, stopped
    assert len(stopped.out.splitlines()) == len(ROLES) == len(pids)
    assert all(line.endswith(" stopped") for line in stopped.out.splitlines())
    assert not any(identity(pid) for pid in pids)


def test_start_fills_the_gap_that_a_death_left(site: Site) -> None:
    assert site.cluster("start", "--data-nodes", "1").status == 0
    victim = json.loads((site.run_folder / "data_node_0.pid").read_text())[0]
    os.kill(victim, 9)
    assert site.cluster("status", "--data-nodes", "1").status == 1
    done = site.cluster("start", "--data-nodes", "1")
    assert done.status == 0
    assert done.out.count("runs already") == 3 and done.out.count("is ready") == 1


def test_start_says_who_is_in_the_way(site: Site) -> None:
    host, _, port = site.addresses["metadata"].partition(":")
    with socket.create_server((host, int(port))):
        done = site.cluster("start")
    assert done.status == 1
    assert f"another process listens on {host}:{port} (metadata)" in done.err
    assert site.pids() == []


def test_a_start_that_fails_leaves_nothing_running(site: Site) -> None:
    # The metadata service finds a file where its directory should be.
    (site.folder / "data").mkdir()
    (site.folder / "data" / "metadata").write_text("in the way")
    done = site.cluster("start")
    assert done.status == 1
    assert "metadata ended with status" in done.err and "metadata.log" in done.err
    assert site.pids() == []


def test_stop_does_not_signal_a_stranger(site: Site) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    site.run_folder.mkdir(parents=True)
    record = json.dumps([stranger.pid, "1 python3 of another day"])
    (site.run_folder / "zookeeper.pid").write_text(record)
    assert site.cluster("stop").status == 0
    assert stranger.poll() is None
    stranger.communicate(b"\n")
    assert stranger.returncode == 0
    assert site.pids() == []


def test_only_daemons_of_this_machine_are_started(site: Site) -> None:
    text = site.config.read_text().replace("127.0.0.1:", "192.0.2.7:")
    site.config.write_text(text)
    done = site.cluster("status")
    assert (done.status, done.out) == (1, "")
    assert "no daemon of this file belongs on this machine" in done.err
    assert_lines(site.cluster("status", "--this-host", "192.0.2.7").out, "down")
    site.config.write_text(text.replace("192.0.2.7:", "127.0.0.1:"))


@pytest.mark.parametrize("argv", [("start", "zookeeper"), ("start", "--data-nodes", "-1"), ()])
def test_a_wrong_command_line_is_refused(site: Site, argv: Tuple[str, ...]) -> None:
    done = site.cluster(*argv)
    assert done.status == 2 and "usage:" in done.err


def test_a_wrong_config_is_one_line(site: Site) -> None:
    text = site.config.read_text()
    site.config.write_text(text + "[nonsense]\n")
    done = site.cluster("start")
    assert done.status == 2 and len(done.err.splitlines()) == 1
    assert f"{site.config}:" in done.err
    site.config.write_text(text)


def test_quickstart_does_the_main_job(site: Site) -> None:
    done = site.quickstart("--stop-after")
    assert done.status == 0, done
    assert "byte for byte" in done.out
    assert "/quickstart/random.bin" in done.out and "Live datanodes (3)" in done.out
    assert site.cluster("status").status == 1
    assert site.pids() == []


def test_quickstart_uses_a_cluster_that_runs_already(site: Site) -> None:
    assert site.cluster("start").status == 0
    done = site.quickstart("--stop-after")
    assert done.status == 0, done
    assert "running already" in done.out
    assert site.cluster("status").status == 0


def test_quickstart_says_who_is_in_the_way(site: Site) -> None:
    host, _, port = site.addresses["name_node"].partition(":")
    with socket.create_server((host, int(port))):
        done = site.quickstart("--stop-after")
    assert done.status == 1
    assert "another process listens on" in done.err


def test_quickstart_refuses_what_it_does_not_know(site: Site) -> None:
    assert site.quickstart("--fast").status == 2


def test_an_old_python_is_refused_in_a_sentence(site: Site) -> None:
    old = site.folder / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.6.8" && exit\nexit 1\n')
    old.chmod(0o755)
    for script in ("test", "quickstart"):
        done = site.run([str(ROOT / "scripts" / script)], {"PYTHON": str(old)})
        assert done.status == 1
        assert "Python 3.6.8 is too old: Python 3.9 or newer is needed" in done.err
    missing = site.run([str(ROOT / "scripts" / "test")], {"PYTHON": "no-such-python"})
    assert missing.status == 1 and "No no-such-python found" in missing.err
