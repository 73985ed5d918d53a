"""The config.ini that quickstart --ha writes: everything more than once, on ports that are free."""

import socket
from pathlib import Path

import pytest

from scripts.supervision import highly_available
from zookeeper.fabric.settings import load


def test_everything_is_there_more_than_once_and_has_a_place_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ha" / "config.ini"
    assert highly_available.main([str(path)]) == 0
    read = load(str(path))
    listed = (read.zookeeper, read.metadata, read.name_node, read.data_node, read.web)
    assert [len(section.hosts) for section in listed] == [3, 3, 2, 3, 1]
    assert len({host for section in listed for host in section.hosts}) == 12
    places = [read.zookeeper.directory_of(host) for host in read.zookeeper.hosts]
    places += [read.metadata.directory_of(host) for host in read.metadata.hosts]
    places += [read.data_node.directories_of(host)[0] for host in read.data_node.hosts]
    places += [read.name_node.name_node_dir, read.security.key_file]
    assert len(set(places)) == 11
    assert all(Path(place).parent == path.parent for place in places)


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.ini"
    path.write_text("mine")
    assert highly_available.main([str(path)]) == 0 and path.read_text() == "mine"


def test_ports_that_are_taken_are_left_to_who_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    first = highly_available.free_ports()
    with socket.create_server(("127.0.0.1", first + 11)):
        other = highly_available.free_ports()
    assert other != first and f"localhost:{other + 11}" in highly_available.text(other)
    monkeypatch.setattr(highly_available, "_is_free", lambda port: False)
    assert highly_available.main(["/nowhere/config.ini"]) == 1


def test_it_is_told_one_file() -> None:
    assert highly_available.main([]) == 2
