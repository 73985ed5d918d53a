"""config.ini when it is wrong: one line with file, line, what was found, what was expected."""

import os
from pathlib import Path
from typing import List

import pytest

from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.settings import SECTIONS, Address, Settings, load, parse_address, table


def loaded(tmp_path: Path, text: str) -> Settings:
    """The settings of a file with this text, in the folder `tmp_path`."""
    path = tmp_path / "config.ini"
    path.write_bytes(text.encode("utf-8"))
    return load(str(path))


def complaint(tmp_path: Path, text: str) -> str:
    """The error about a file with this text, without the folder; one line, and tells its place."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    message = caught.value.message
    assert caught.value.exit_status == 2
    assert "\n" not in message
    assert ": found " in message and ", expected " in message
    return message.replace(str(tmp_path) + os.sep, "")


def test_every_interval_can_be_short_and_every_limit_is_checked(tmp_path: Path) -> None:
    shortest = {"stale_seconds": "0.4", "dead_seconds": "0.4", "session_expiry_seconds": "0.4"}
    lines: List[str] = []
    for section in SECTIONS:
        lines.append(f"[{section}]")
        lines += [f"{key} = {shortest.get(key, '0.2')}"
                  for key in table(section) if key.endswith("_seconds")]
    read = loaded(tmp_path, "\n".join(lines))
    assert read.data_node.scan_period_seconds == read.network.stall_timeout_seconds == 0.2
    for line in lines:
        key = line.partition(" ")[0]
        if line[0] != "[" and key != "safe_mode_extension_seconds":
            text = "\n".join(f"{key} = 0.1" if other == line else other for other in lines)
            assert f"found {key} = '0.1', expected a number of seconds from 0.2" in complaint(
                tmp_path, text)


def test_new_disks_are_admitted_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").metadata.admit_new_disks
    assert not loaded(tmp_path, "[metadata]\nadmit_new_disks = no").metadata.admit_new_disks


MISTAKES = [
    ("[name_nod]", "1: found unknown section 'name_nod', expected 'name_node', the nearest one"),
    ("[DEFAULT]", "1: found unknown section 'DEFAULT', expected one of name_node, data_node, "
                  "metadata, zookeeper, client, security, network, web, groups"),
    ("[client]\n[network]\n[client]",
     "3: found section 'client' again, expected each section once"),
    ("[client]\n\nretry_secnds = 1", "3: found unknown key 'retry_secnds' in [client], "
                                     "expected 'retry_seconds', the nearest one"),
    ("[client]\nRETRY_SECONDS = 1", "2: found unknown key 'RETRY_SECONDS' in [client], "
                                    "expected 'retry_seconds', the nearest one"),
    ("[client]\nblock_size = 1M", "2: found unknown key 'block_size' in [client], "
                                  "expected it in [name_node]"),
    ("[client]\nqqq = 1", "2: found unknown key 'qqq' in [client], "
                          "expected one of connect_seconds, retry_seconds, parallel_blocks, "
                          "short_circuit, trash_minutes"),
    ("[client]\n= 1", "2: found unknown key '' in [client], "
                      "expected one of connect_seconds, retry_seconds, parallel_blocks, "
                      "short_circuit, trash_minutes"),
    ("[client]\nretry_seconds = 1\nretry_seconds = 1",
     "3: found key 'retry_seconds' again, expected it only once, as on line 2"),
    ("block_size = 1M", "1: found 'block_size' outside of a section, "
                        "expected a line such as [name_node] before it"),
    ("[client]\nretry_seconds", "2: found 'retry_seconds', expected key = value or [section]"),
    ("[client] # x", "1: found '[client] # x', expected key = value or [section]"),
    ("[metadata]\nmetadata_dir = a\0b", "2: found 'metadata_dir = a\\x00b', "
                                        "expected key = value or [section]"),
    ("[name_node]\nname_name_hosts=a:1\nname_node_hosts=a:1",
     "3: found both name_node_hosts and name_name_hosts, expected one of them"),
    ("[data_node]\ndata_node_dir_1809 = /x",
     "2: found data_node_dir_1809, expected a port of data_node_hosts: 1801, 1802, 1803"),
    ("[data_node]\ndata_node_dir_x = /x", "2: found unknown key 'data_node_dir_x' in [data_node], "
                                          "expected 'data_node_dir_<port>', the nearest one"),
    ("[data_node]\ndata_node_dir_<port> = /x",
     "2: found unknown key 'data_node_dir_<port>' in [data_node], "
     "expected 'data_node_dir_<port>', the nearest one"),
    ("[data_node]\ndata_node_dir_01801 = /x",
     "2: found unknown key 'data_node_dir_01801' in [data_node], "
     "expected 'data_node_dir_<port>', the nearest one"),
    ("[data_node]\ndata_node_dir_1801 = /x,/x", "2: data_node_dir_1801: found /x twice, "
                                               "expected it once"),
    ("[data_node]\ndata_node_dir_1801 = /x,", "2: found data_node_dir_1801 = '/x,', "
                                              "expected a list of paths"),
    ("[data_node]\ndata_node_hosts = a:1,b:2, A:1",
     "2: data_node_hosts: found a:1 twice, expected it once"),
    ("[metadata]\nmetadata_hosts = a:1,b:1", "2: found metadata_hosts = 'a:1,b:1', expected a list "
     "of 1, 3 or 5 host:port, since of an even number no more may fail"),
    ("[zookeeper]\nzookeeper_hosts = a:1,b:1", "2: found zookeeper_hosts = 'a:1,b:1', expected a "
     "list of 1 or 3 host:port, since of an even number no more may fail"),
    ("[metadata]\nmetadata_hosts = a:1,b:1,a:1",
     "2: metadata_hosts: found a:1 twice, expected it once"),
    ("[metadata]\nmetadata_dir_9 = /x",
     "2: found metadata_dir_9, expected a port of metadata_hosts: 18005"),
    ("[zookeeper]\nzookeeper_dir = /y\nzookeeper_dir_18861 = /x",
     "3: found both zookeeper_dir and zookeeper_dir_18861, expected one of them"),
    ("[metadata]\nmetadata_dir =", "2: found metadata_dir = '', expected a path"),
    ("[zookeeper]\nsession_expiry_seconds = 1.5",
     "2: found session_expiry_seconds = 1.5 in [zookeeper], "
     "expected at least 2: 2 x session_heartbeat_seconds of [zookeeper]"),
    ("[name_node]\n[data_node]\nheartbeat_seconds = 6",
     "3: found stale_seconds = 10 in [name_node], "
     "expected at least 12: 2 x heartbeat_seconds of [data_node]"),
    ("[name_node]\ndead_seconds = 1",
     "2: found dead_seconds = 1 in [name_node], "
     "expected at least 2: 2 x heartbeat_seconds of [data_node]"),
    ("[name_node]\nlease_hard_seconds = 59",
     "2: found lease_hard_seconds = 59 in [name_node], "
     "expected at least 60: 1 x lease_soft_seconds of [name_node]"),
]


@pytest.mark.parametrize("text, expected", MISTAKES)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    assert complaint(tmp_path, text) == "config.ini:" + expected


@pytest.mark.parametrize(
    "section, key, values, expected",
    [
        ("name_node", "block_size",
         ["", "4095", "3K", "2T", "-1", "1.5M", "128MB", "M", "1_0", "٣"],
         "a number of bytes from 4K to 1T, such as 134217728 or 128M"),
        ("name_node", "replication_factor", ["0", "513", "two", "+2", "2.0", "1K", "9" * 5000],
         "a whole number from 1 to 512"),
        ("name_node", "safe_mode_threshold", ["1.1", "nan", "-0", "1e-1"],
         "a fraction from 0 to 1"),
        ("client", "retry_seconds", ["0", "0.1", "inf", "nan", "1_0", ".", "1.2.3", "5s", ""],
         "a number of seconds from 0.2 to 315360000"),
        ("security", "allow_insecure", ["", "maybe", "2"], "true or false"),
        ("security", "mode", ["", "Simple", "kerberos"], "simple or secret"),
        ("network", "bind_host", ["a b", "/x", "é"], "a host or nothing"),
        ("data_node", "rack", ["", "rack", "/a b"], "a path of racks, such as /default-rack"),
        ("web", "web_user", ["", "x" * 256], "the name of a user"),
        ("web", "web_origins", ["*", "null", "hue:8888", "ftp://hue", "http://", "http://hue/x"],
         "a list of origins, such as https://hue.example.org:8888, or nothing"),
    ],
)
def test_values_of_a_wrong_type_or_out_of_range(
    tmp_path: Path, section: str, key: str, values: List[str], expected: str
) -> None:
    for value in values:
        shown = repr(value if len(value) <= 80 else value[:77] + "...")
        assert complaint(tmp_path, f"[{section}]\n{key} = {value}\n") == (
            f"config.ini:2: found {key} = {shown}, expected {expected}")


@pytest.mark.parametrize(
    "text",
    ["", "localhost", ":1800", "localhost:", "localhost:x", "localhost:0", "localhost:65536",
     "localhost:-1", "localhost:+1", "localhost:01", "a b:1", "::1:1800", "[::1]", "[::1]:",
     "[localhost]:1", "[]:1", "a/b:1", "user@a:1", "é:1", "a" * 254 + ":1", "a:1:2", "a:１"],
)
def test_an_address_without_a_host_or_port_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"^found .*, expected .*(host:port|port from 1)"):
        parse_address(text)
    told = complaint(tmp_path, f"[data_node]\ndata_node_hosts = a:1,{text}\n")
    assert told.startswith("config.ini:2: data_node_hosts: found ")


@pytest.mark.parametrize(
    "text", ["localhost:1800", "10.0.0.1:1", "[fe80::1%eth0]:65535", "a_b-c.d:80"]
)
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_address(f" {text} ")) == text


def test_hosts_are_compared_without_case() -> None:
    assert parse_address("LocalHost:1") == Address("localhost", 1)


def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path) -> None:
    for name, reason in (("absent.ini", "No such file"), ("", "Is a directory")):
        path = str(tmp_path / name)
        with pytest.raises(SettingsError, match=f"^{path}: cannot read this .* file: {reason}"):
            load(path)


def test_a_file_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    # Root may read everything, so the refusal has to be put there.
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(SettingsError, match="configuration file: Permission denied"):
        load(str(tmp_path / "config.ini"))


def test_an_empty_path_is_not_no_path() -> None:
    with pytest.raises(SettingsError, match="Is a directory"):
        load("")


def test_text_that_is_not_utf8_or_endless_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.ini"
    path.write_bytes(b"[client]\n# caf\xe9\n")
    with pytest.raises(SettingsError, match=":2: found bytes that are not UTF-8, expected UTF-8"):
        load(str(path))
    with pytest.raises(SettingsError, match="found over 1048576 bytes, expected less"):
        load("/dev/zero")
