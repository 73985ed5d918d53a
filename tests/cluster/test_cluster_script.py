"""scripts/cluster.py: what a person who runs a cluster on a machine meets."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Tuple

import pytest

from scripts.supervision.processes import identity
from tests.support.clusters.scripted import ROLES, ROOT, Site
from tests.support.clusters.waiting import wait_until

TWO_NAMENODES = ("zookeeper", "metadata", "name_node", "name_node_1", "data_node_0")


def assert_lines(text: str, ending: str) -> None:
    """One line a daemon, in order, that contains `ending`."""
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == list(ROLES), text
    assert all(ending in line for line in lines), text


def _place(line: str) -> int:
    return ROLES.index(line.split()[0])


def test_cluster_starts_tells_and_stops(site: Site) -> None:
    down = site.cluster("status")
    assert down.status == 1
    assert_lines(down.out, "down")

    started = site.cluster("start")
    assert started.status == 0, started
    # Told as it comes, whichever is ready first.
    assert_lines("\n".join(sorted(started.out.splitlines(), key=_place)), "is ready, pid")

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
    assert len(site.cluster("logs", "-n", "1", "data_node", "1").out.splitlines()) == 2
    # Logs name users and paths: they are for who runs the cluster.
    assert site.run_folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in site.run_folder.glob("*.log")} == {0o600}

    assert site.client("mkdir", "-p", "/looked/at").status == 0
    table = site.cluster("calls")
    assert table.status == 0, table
    assert all(f"{role} {address}\n" in table.out for role, address in site.addresses.items())
    (made,) = [line.split() for line in table.out.splitlines() if line.strip().startswith("mkdir")]
    assert made[1:3] == ["1", "0"] and 0 < float(made[3]) <= float(made[4]) + 0.1

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
    host, _, port = site.addresses["data_node_1"].partition(":")
    with socket.create_server((host, int(port))):
        done = site.cluster("start")
        down = site.cluster("status", "data_node_1")
    assert done.status == 1
    assert f"another process listens on {host}:{port} (data_node_1): pid {os.getpid()}" in done.err
    # A datanode may be missing: that is what the others are for.
    assert done.out.count("is ready") == len(ROLES) - 1 == len(site.pids())
    assert down.status == 1 and "down; another process has its address" in down.out


def test_a_daemon_that_ends_is_told_and_the_others_go_on(site: Site) -> None:
    # A datanode finds a file where its directory should be.
    (site.folder / "data").mkdir()
    in_the_way = site.folder / "data" / "data_node_2"
    in_the_way.write_text("in the way")
    done = site.cluster("start")
    assert done.status == 1
    assert "data_node_2 ended with status" in done.err and "data_node_2.log" in done.err
    assert done.out.count("is ready") == len(ROLES) - 1 == len(site.pids())
    assert site.client("mkdir", "/works").status == 0
    in_the_way.unlink()
    assert site.cluster("start").status == 0


def test_who_waits_for_what_failed_is_left_running(site: Site) -> None:
    (site.folder / "data").mkdir()
    in_the_way = site.folder / "data" / "metadata"
    in_the_way.write_text("in the way")
    done = site.cluster("start", "--data-nodes", "1")
    assert done.status == 1
    assert "metadata ended with status" in done.err
    for role in ("name_node", "data_node_0"):
        assert f"{role} {site.addresses[role]} is not ready after" in done.err
    assert len(site.pids()) == 3
    assert "starting pid" in site.cluster("status", "name_node").out
    # The next start goes on where this one gave up.
    in_the_way.unlink()
    assert site.cluster("start", "--data-nodes", "1").status == 0
    assert site.client("mkdir", "/works").status == 0


def test_a_cluster_can_be_used_when_start_returns(site: Site) -> None:
    text = site.config.read_text()
    extended = text.replace("safe_mode_extension_seconds = 0", "safe_mode_extension_seconds = 2")
    assert extended != text
    site.config.write_text(extended)
    assert site.cluster("start").status == 0
    assert site.client("put", str(site.config), "/kept").status == 0
    for _ in range(2):
        assert site.cluster("restart").status == 0
        done = site.client("put", "-f", str(site.config), "/kept")
        assert done.status == 0, done


def test_who_repairs_does_not_wait_for_a_start_that_waits(site: Site) -> None:
    """It waited for as long as that one did, a minute or without end."""
    assert site.cluster("start", "zookeeper", "metadata").status == 0
    metadata = site.records()["metadata"]
    os.kill(metadata, signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        try:
            starting = threads.submit(site.cluster, "start", "name_node")
            wait_until(lambda: "name_node" in site.records(), what="what was started")
            stopped = site.cluster("stop", "name_node")
        finally:
            os.kill(metadata, signal.SIGCONT)
        done = starting.result()
    assert stopped.status == 0 and stopped.out.endswith(" stopped\n"), stopped
    assert done.status == 1 and "name_node ended" in done.err, done


def test_start_says_why_nothing_can_be_changed(site: Site) -> None:
    assert site.cluster("start").status == 0
    assert site.client("safemode", "enter").status == 0
    done = site.cluster("start")
    assert done.status == 1
    assert "in safe mode" in done.err and "turned on manually" in done.err
    assert site.client("safemode", "leave").status == 0
    assert site.cluster("start").status == 0


def test_datanodes_that_others_start_may_come_later(site: Site) -> None:
    assert site.cluster("start").status == 0
    assert site.client("put", str(site.config), "/kept").status == 0
    assert site.cluster("stop").status == 0
    done = site.cluster("start", "zookeeper", "metadata", "name_node")
    assert done.status == 0 and "in safe mode" in done.err
    assert site.client("safemode", "get").out.startswith("Safe mode is ON")
    done = site.cluster("start", "data_node")
    assert done.status == 0 and "safe mode" not in done.err
    assert site.client("put", "-f", str(site.config), "/kept").status == 0


def test_one_daemon_is_restarted_alone(site: Site) -> None:
    assert site.cluster("start").status == 0
    before = site.records()
    done = site.cluster("restart", "data_node", "1")
    assert done.status == 0, done
    after = site.records()
    assert {role for role in before if before[role] != after[role]} == {"data_node_1"}
    done = site.cluster("restart", "data_node")
    said = [(line.split()[0], line.endswith(" stopped")) for line in done.out.splitlines()]
    in_turn = [(f"data_node_{index}", stopped) for index in range(3) for stopped in (True, False)]
    assert said == in_turn and done.status == 0, done
    assert site.cluster("stop", "data_node_0", "data-node-2").status == 0
    assert set(site.records()) == set(before) - {"data_node_0", "data_node_2"}
    done = site.cluster("restart", "data_node")
    ready = [line.split()[0] for line in done.out.splitlines() if " is ready" in line]
    assert ready == ["data_node_0", "data_node_2", "data_node_1"], "who is down comes first"


def test_a_daemon_whose_line_has_left_the_config_is_told_and_stopped(site: Site) -> None:
    assert site.cluster("start").status == 0
    text = site.config.read_text()
    # The one in the middle goes, so that the last one gets its number.
    host = site.addresses["data_node_1"]
    port = host.rpartition(":")[2]
    lines = [line for line in text.splitlines() if not line.startswith(f"data_node_dir_{port} ")]
    site.config.write_text("\n".join(lines).replace(f"{host}, ", "") + "\n")
    lines = site.cluster("status").out.splitlines()
    assert [line for line in lines if "not in config.ini any more" in line] == lines[-1:]
    assert host in lines[-1]
    assert f"data_node_1    {site.addresses['data_node_2']}" in lines[-2]
    pids = site.pids()
    done = site.cluster("stop")
    assert done.status == 0 and len(done.out.splitlines()) == len(ROLES)
    assert not any(identity(pid) for pid in pids)


def test_a_key_that_is_none_is_said_once(site: Site) -> None:
    text = site.config.read_text()
    (site.config.parent / "short.key").write_bytes(b"short")
    (site.config.parent / "short.key").chmod(0o600)
    site.config.write_text(text + "[security]\nmode = secret\nkey_file = short.key\n")
    done = site.cluster("start")
    assert done.status == 2 and len(done.err.splitlines()) == 1
    assert "short.key: found a key of 5 bytes" in done.err
    assert site.cluster("stop").out == "nothing of this runs here\n"
    site.config.write_text(text)


def test_daemons_whose_records_are_lost_are_found(site: Site) -> None:
    assert site.cluster("start", "--data-nodes", "1").status == 0
    pids = site.pids()
    shutil.rmtree(site.run_folder)
    told = site.cluster("status", "--data-nodes", "1")
    assert told.status == 0 and told.out.count("running pid") == 4, told
    assert site.cluster("start", "--data-nodes", "1").out.count("runs already, pid") == 4
    stopped = site.cluster("stop")
    assert stopped.out.count(" stopped") == 4, stopped
    assert not any(identity(pid) for pid in pids)


def test_what_runs_of_a_spoilt_config_can_be_stopped(site: Site) -> None:
    assert site.cluster("start", "--data-nodes", "1").status == 0
    pids, text = site.pids(), site.config.read_text()
    site.config.write_text(text + "[nonsense]\n")
    told = site.cluster("status")
    assert told.out.count("running pid") == 4 and "nonsense" in told.err
    assert site.cluster("restart").status == 2
    stopped = site.cluster("stop")
    assert stopped.status == 0 and stopped.out.count(" stopped") == 4, stopped
    assert not any(identity(pid) for pid in pids)
    site.config.write_text(text)


def test_a_run_folder_may_move_with_the_config(site: Site) -> None:
    assert site.cluster("start", "--data-nodes", "1").status == 0
    text = site.config.read_text()
    site.config.write_text(text.replace("/data/zookeeper", "/elsewhere/zookeeper"))
    assert site.cluster("status", "--data-nodes", "1").out.count("running pid") == 4
    stopped = site.cluster("stop")
    assert stopped.status == 0 and stopped.out.count(" stopped") == 4, stopped
    site.config.write_text(text)


def test_daemons_that_others_started_are_told(site: Site) -> None:
    command = [sys.executable, str(ROOT / "zookeeper" / "zk.py"), "--config", str(site.config)]
    zookeeper = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert zookeeper.stdout is not None
    try:
        assert zookeeper.stdout.readline().startswith(b"ready zookeeper")
        told = site.cluster("status", "zookeeper")
        assert told.status == 0
        assert f"running pid {zookeeper.pid}, not started by cluster.py" in told.out
        started = site.cluster("start")
        assert started.status == 0, started
        assert f"runs already, pid {zookeeper.pid}, started by somebody else" in started.out
        stopped = site.cluster("stop")
        assert stopped.status == 1
        assert "runs on: it was not started here" in stopped.err
        assert site.pids() == [] and zookeeper.poll() is None
    finally:
        zookeeper.terminate()
        zookeeper.communicate()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_run_folder_that_is_not_ours_is_a_sentence(site: Site) -> None:
    site.run_folder.parent.mkdir(parents=True)
    site.run_folder.parent.chmod(0o500)
    try:
        done = site.cluster("start")
    finally:
        site.run_folder.parent.chmod(0o700)
    assert done.status == 1 and len(done.err.splitlines()) == 1
    assert "Permission denied" in done.err and "zookeeper_dir" in done.err


def test_a_run_folder_that_cannot_be_is_a_sentence(site: Site) -> None:
    (site.folder / "data").write_text("a file")
    done = site.cluster("start")
    (site.folder / "data").unlink()
    assert done.status == 1 and len(done.err.splitlines()) == 1
    assert "cannot keep logs and records in" in done.err


def test_a_log_is_followed_over_its_renewal(site: Site) -> None:
    assert site.cluster("start", "zookeeper").status == 0
    log = site.run_folder / "zookeeper.log"
    command = [sys.executable, str(ROOT / "scripts" / "cluster.py"), "logs", "-f", "-n", "0"]
    command += ["zookeeper", "--config", str(site.config)]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert reader.stdout is not None
    try:
        assert reader.stdout.readline() == f"==> {log} <==\n".encode()
        log.rename(log.with_suffix(".log.1"))
        # A daemon that stops has something to say, in a new file.
        assert site.cluster("stop", "zookeeper").status == 0
        assert b"daemon.stopping" in reader.stdout.readline()
    finally:
        reader.send_signal(2)
        reader.communicate()
    assert reader.returncode == 130


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


@pytest.mark.parametrize("argv", [("begin",), ("start", "--data-nodes", "-1"), ()])
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


@pytest.mark.parametrize("site", [{"roles": TWO_NAMENODES}], indirect=True)
def test_a_second_namenode_stands_by_and_takes_over(site: Site) -> None:
    assert site.cluster("start", "--data-nodes", "1").status == 0
    assert set(site.records()) == set(TWO_NAMENODES)
    logs = {role: (site.run_folder / f"{role}.log").read_text() for role in site.records()}
    states = {role: logs[role].rpartition("\nready ")[2] for role in ("name_node", "name_node_1")}
    assert all(site.addresses[role] in state for role, state in states.items()), states
    leader = next(role for role, state in states.items() if "epoch=" in state)
    assert sum("standby" in state for state in states.values()) == 1
    assert site.client("mkdir", "/made-before").status == 0
    assert site.cluster("stop", "name_node_0" if leader == "name_node" else leader).status == 0
    assert site.client("ls", "/made-before").status == 0
