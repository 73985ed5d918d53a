"""What scripts/cluster.py knows of processes, records and logs; and which daemons words name."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Optional

import pytest

from scripts.supervision.daemons import (
    KINDS,
    ROOT,
    Daemon,
    Failure,
    Record,
    Site,
    choose,
    kind_of,
)
from scripts.supervision.log_ends import LogReader, tail
from scripts.supervision.processes import (
    addresses_of,
    effort_of,
    identity,
    is_of_this_machine,
    listener_at,
)
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.settings import load

CONFIG = """
[zookeeper]
zookeeper_hosts = 127.0.0.1:9001
[metadata]
metadata_hosts = 127.0.0.1:9002
[name_node]
name_node_hosts = {name_nodes}
[data_node]
data_node_hosts = {data_nodes}
"""
NAME_NODES = "127.0.0.1:9003, 127.0.0.1:9013"
DATA_NODES = "127.0.0.1:9004, 127.0.0.1:9005, 127.0.0.1:9006"


def site(
    folder: Path, name_nodes: str = NAME_NODES, data_nodes: str = DATA_NODES, *own: str
) -> Site:
    """What a config.ini in this folder makes of this machine."""
    path = folder / "config.ini"
    path.write_text(CONFIG.format(name_nodes=name_nodes, data_nodes=data_nodes))
    return Site(load(str(path)), own)


def roles(daemons: List[Daemon]) -> List[str]:
    """Their names."""
    return [daemon.role for daemon in daemons]


@pytest.fixture
def data_node() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that was started with the words of a datanode, and does nothing."""
    words = [sys.executable, "-c", "input()", "data_service/data_node.py", "2"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n")


def record_of(process: "subprocess.Popen[bytes]", address: str) -> Record:
    """What is written down of a process."""
    wait_until(lambda: identity(process.pid), what="the process")
    return Record(process.pid, identity(process.pid), address)


def write(found: Site, stem: str, record: List[object]) -> None:
    """Put a record into the run folder, as somebody else might."""
    found.folder.mkdir(parents=True, exist_ok=True)
    (found.folder / f"{stem}.pid").write_text(json.dumps(record))


def test_each_daemon_is_told_its_index(tmp_path: Path) -> None:
    found = site(tmp_path)
    indexes = {d.role: d.command(found.settings)[2] for d in found.daemons}
    assert indexes == {
        "zookeeper": "0", "metadata": "0", "name_node_0": "0", "name_node_1": "1",
        "data_node_0": "0", "data_node_1": "1", "data_node_2": "2",
    }  # fmt: skip


def test_several_zookeepers_and_metadata_services_are_daemons_each(tmp_path: Path) -> None:
    path = tmp_path / "config.ini"
    text = CONFIG.format(name_nodes=NAME_NODES, data_nodes=DATA_NODES)
    path.write_text(text.replace(":9001", ":9001,192.0.2.1:9001,127.0.0.1:9021")
                        .replace(":9002", ":9002,127.0.0.1:9012,127.0.0.1:9022"))
    found = Site(load(str(path)))
    assert roles(found.daemons)[:5] == [
        "zookeeper_0", "zookeeper_2", "metadata_0", "metadata_1", "metadata_2"
    ]
    assert found.daemons[2].log_path.name == "metadata.log", "as before there were several"
    assert roles(choose(found, ["metadata"], None)) == roles(found.daemons[2:5])
    assert roles(choose(found, ["metadata_0", "namenode-0"], None)) == ["metadata_0", "name_node_0"]
    assert roles(choose(found, ["metadata", "2", "zookeeper_2"], None)) == [
        "zookeeper_2", "metadata_2"
    ]
    assert found.daemons[1].command(found.settings)[1:3] == [str(ROOT / "zookeeper/zk.py"), "2"]


def test_a_second_machine_runs_the_second_namenode(tmp_path: Path) -> None:
    found = site(tmp_path, "192.0.2.1:9003, 192.0.2.2:9003", "192.0.2.1:9004, 192.0.2.2:9004",
                 "192.0.2.2")  # fmt: skip
    chosen = choose(found, ["name_node", "data_node"], None)
    assert [(d.role, d.index, d.address) for d in chosen] == [
        ("name_node_1", 1, "192.0.2.2:9003"), ("data_node_1", 1, "192.0.2.2:9004")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words, expected",
    [
        ("data_node", "data_node_0 data_node_1 data_node_2"),
        ("data_node 1", "data_node_1"),
        ("datanode 01 zookeeper", "zookeeper data_node_1"),
        ("data-node-2 data_node_2", "data_node_2"),
        ("name_node", "name_node_0 name_node_1"),
        ("namenode 0", "name_node_0"),
        ("NAME_NODE_1", "name_node_1"),
        ("data_node 0 1", None),
        ("data_node_7", None),
        ("1", None),
    ],
)
def test_words_name_daemons(tmp_path: Path, words: str, expected: Optional[str]) -> None:
    found = site(tmp_path)
    if expected is None:
        with pytest.raises(Failure, match="there are: zookeeper, metadata, name_node_0"):
            choose(found, words.split(), None)
    else:
        assert roles(choose(found, words.split(), None)) == expected.split()


def test_the_number_of_datanodes_may_be_less(tmp_path: Path) -> None:
    assert roles(choose(site(tmp_path), [], 1))[-2:] == ["name_node_1", "data_node_0"]


def test_a_daemon_is_known_by_its_address(
    tmp_path: Path, data_node: "subprocess.Popen[bytes]"
) -> None:
    before = site(tmp_path)
    write(before, "data_node_2", list(record_of(data_node, "127.0.0.1:9006")))
    # One before it has left the file: it has another index, and is the same.
    found = site(tmp_path, data_nodes="127.0.0.1:9004, 127.0.0.1:9006")
    assert found.left == []
    record = found.daemons[-1].record()
    assert found.daemons[-1].role == "data_node_1" and record and record.pid == data_node.pid
    # It has left the file itself.
    found = site(tmp_path, data_nodes="127.0.0.1:9004, 127.0.0.1:9005")
    assert [daemon.address for daemon in found.left] == ["127.0.0.1:9006"]
    assert choose(found, [], None)[-1] in found.left
    # Its number is another's: neither writes over what is known of the other.
    found = site(tmp_path, data_nodes="127.0.0.1:9004, 127.0.0.1:9005, 127.0.0.1:9007")
    assert found.daemons[-1].role == found.left[0].role == "data_node_2"
    assert found.daemons[-1].log_path != found.left[0].log_path
    assert choose(found, ["data_node_2"], None) == [found.daemons[-1]]
    # It is of this machine, even when its host name says otherwise by now.
    found = site(tmp_path, data_nodes="192.0.2.9:9004, 127.0.0.1:9006")
    assert roles(found.daemons)[-1] == "data_node_1"


def test_a_record_without_an_address_is_known_by_its_name(
    tmp_path: Path, data_node: "subprocess.Popen[bytes]"
) -> None:
    write(site(tmp_path), "data_node_1", list(record_of(data_node, "")[:2]))
    record = next(d for d in site(tmp_path).daemons if d.role == "data_node_1").record()
    assert record and record.pid == data_node.pid


@pytest.mark.parametrize("kind", ["this process", "no process", "all", "a group", "half", "text"])
def test_a_forged_record_names_nobody(tmp_path: Path, kind: str) -> None:
    forged = {
        "this process": [os.getpid(), identity(os.getpid()), "127.0.0.1:9004"],
        "no process": [2**22 + 1, "", "127.0.0.1:9004"],
        "all": [-1, "", "127.0.0.1:9004"],
        "a group": [0, "", "127.0.0.1:9004"],
        "half": [os.getpid()],
        "text": ["1", "x", "y", True, 7],
    }[kind]
    found = site(tmp_path)
    write(found, "data_node_0", list(forged))
    found = site(tmp_path)
    assert found.left == [] and not any(daemon.record() for daemon in found.daemons)


def test_a_kind_is_told_by_its_name() -> None:
    for role in ("zookeeper", "metadata", "name_node", "name_node_1", "data_node_0-2"):
        kind = kind_of(role)
        assert kind and role.startswith(kind.name)
    assert kind_of("stranger") is None


@pytest.mark.parametrize(
    "words, kind",
    [
        ("python3 zookeeper/zk.py", "zookeeper"),
        ("python3 zk.py", "zookeeper"),
        ("python3 -m data_service.data_node 0", "data_node"),
        ("/opt/venv/bin/python /opt/venv/bin/pyhdfs-name-node", "name_node"),
        ("python3 -m http.server", None),
        ("", None),
    ],
)
def test_a_process_is_told_by_its_words(words: str, kind: Optional[str]) -> None:
    assert [k.name for k in KINDS if k.is_run_by(words.split())] == ([kind] if kind else [])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_who_listens_is_known(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with server:
        port = server.getsockname()[1]
        for asked in ({host}, {"127.0.0.9"} if host == "0.0.0.0" else {host, "127.0.0.9"}):
            listener = listener_at(asked, port)
            assert listener and listener.pid == os.getpid()
        assert (listener_at({"127.0.0.9"}, port) is None) == (host != "0.0.0.0")
    assert listener_at({host}, port) is None


def test_a_bound_port_without_a_listener_is_free() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        assert listener_at({"127.0.0.1"}, reserved.getsockname()[1]) is None


def test_hosts_of_this_machine() -> None:
    assert is_of_this_machine("localhost") and "127.0.0.1" in addresses_of("localhost")
    assert not is_of_this_machine("192.0.2.1") and not is_of_this_machine("a..b")


def test_the_effort_of_a_process_grows() -> None:
    before = effort_of(os.getpid())
    for _ in range(20):
        Path("/proc/self/status").read_text()
    assert effort_of(os.getpid()).bytes_moved > before.bytes_moved
    assert effort_of(2**22 + 1) == (0.0, 0)


def test_a_log_is_read_over_its_renewal(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    reader = LogReader(path)
    assert reader.lines() == []
    path.write_text("one\ntw")
    assert reader.lines() == ["one"]
    with open(path, "a") as file:
        file.write("o\nthree\n")
    assert reader.lines() == ["two", "three"]
    path.rename(tmp_path / "x.log.1")
    path.write_text("four\n")
    assert reader.lines() == ["four"]
    path.write_text("5\n")
    assert reader.lines() == ["5"]
    assert LogReader(path).lines() == [] and LogReader(path, 0).lines() == ["5"]


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    assert tail(path, 3) == f"==> {path} <==\n(No such file or directory)"
    path.write_text("".join(f"{number:0100}\n" for number in range(3000)))
    assert [int(line) for line in tail(path, 1000).splitlines()[1:]] == list(range(2000, 3000))
    assert tail(path, 0) == f"==> {path} <=="
