"""Settings: what config.ini means, what holds without it, and the file that is shipped."""

import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

from zookeeper.fabric import settings
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.settings import (
    SECTIONS,
    Address,
    NameNodeSettings,
    Settings,
    load,
    table,
)

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "config.ini"

# The ancestor's file, to the byte: its own spelling of one key, no newline at the end.
ORIGINAL = """[name_node]
block_size = 134217728
replication_factor = 2
name_name_hosts = localhost:1800

[data_node]
data_node_hosts = localhost:1801,localhost:1802
data_node_dir_1801 = /Users/theflash/Desktop/s3/data/tmp/dfs_data/1801
data_node_dir_1802 = /Users/theflash/Desktop/s3/data/tmp/dfs_data/1802

[metadata]
metadata_hosts = localhost:18005

[zookeeper]
zookeeper_hosts = localhost:18861"""


def loaded(tmp_path: Path, text: str) -> Settings:
    """The settings of a file with this text, in the folder `tmp_path`."""
    path = tmp_path / "config.ini"
    path.write_bytes(text.encode("utf-8"))
    return load(str(path))


def default_name_node(folder: Path) -> NameNodeSettings:
    """[name_node] of a file in a folder that says nothing about it."""
    return replace(Settings().name_node, name_node_dir=str(folder / "data" / "name_node"))


def test_the_original_file_works_unchanged(tmp_path: Path) -> None:
    read = loaded(tmp_path, ORIGINAL)
    assert read.path == str(tmp_path / "config.ini")
    assert read.name_node.block_size == 134217728
    assert read.name_node.replication_factor == 2
    assert read.name_node.hosts == (Address("localhost", 1800),)
    assert read.data_node.hosts == (Address("localhost", 1801), Address("localhost", 1802))
    assert [read.data_node.directories_of(address) for address in read.data_node.hosts] == [
        ("/Users/theflash/Desktop/s3/data/tmp/dfs_data/1801",),
        ("/Users/theflash/Desktop/s3/data/tmp/dfs_data/1802",),
    ]
    assert read.metadata.hosts == (Address("localhost", 18005),)
    assert read.zookeeper.hosts == (Address("localhost", 18861),)
    assert read.client == Settings().client


def test_the_original_file_for_many_machines_works_unchanged(tmp_path: Path) -> None:
    text = ORIGINAL.replace(
        "data_node_hosts = localhost:1801", "data_node_hosts = 100.25.217.45:1801"
    ).replace("zookeeper_hosts = localhost", "zookeeper_hosts = 100.25.217.45")
    read = loaded(tmp_path, text)
    assert [str(host) for host in read.data_node.hosts] == ["100.25.217.45:1801", "localhost:1802"]
    assert str(read.zookeeper.hosts[0]) == "100.25.217.45:18861"


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    read = loaded(tmp_path, "")
    assert read.name_node == default_name_node(tmp_path)
    assert read.network == Settings().network
    assert read.metadata.metadata_dir == str(tmp_path / "data" / "metadata")
    assert read.zookeeper.zookeeper_dir == str(tmp_path / "data" / "zookeeper")
    assert read.data_node.directories == {
        port: (str(tmp_path / "data" / f"data_node_{port}"),) for port in (1801, 1802, 1803)
    }


def test_what_was_read_cannot_be_changed(tmp_path: Path) -> None:
    read: Any = loaded(tmp_path, "")
    with pytest.raises(FrozenInstanceError):
        read.name_node.block_size = 1
    with pytest.raises(TypeError):
        read.data_node.directories[1801] = ()


def test_comments_and_empty_lines_and_windows_line_ends(tmp_path: Path) -> None:
    text = "\ufeff# first\r\n\r\n; second\r\n  [client]  \r\n\t# third\r\n\tretry_seconds\t=\t5\r\n"
    assert loaded(tmp_path, text).client.retry_seconds == 5.0


def test_a_value_may_hold_comment_signs_equal_signs_and_spaces(tmp_path: Path) -> None:
    read = loaded(tmp_path, "[metadata]\nmetadata_dir = /a b/#1;x=é\n")
    assert read.metadata.metadata_dir == "/a b/#1;x=é"


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    read = loaded(
        tmp_path,
        "[metadata]\nmetadata_dir = ../m\n[zookeeper]\nzookeeper_dir = ~/z\n"
        "[security]\nkey_file = keys/cluster\n[data_node]\ndata_node_dir_1801 = /a, b/c\n",
    )
    assert read.metadata.metadata_dir == str(tmp_path.parent / "m")
    assert read.zookeeper.zookeeper_dir == "/home/somebody/z"
    assert read.security.key_file == str(tmp_path / "keys" / "cluster")
    assert read.data_node.directories[1801] == ("/a", str(tmp_path / "b" / "c"))


@pytest.mark.parametrize("section", ["metadata", "zookeeper"])
def test_each_of_several_has_a_directory(tmp_path: Path, section: str) -> None:
    text = (f"[{section}]\n{section}_hosts = a:1,b:1,a:2\n{section}_dir = first\n")
    without, given = loaded(tmp_path, text), loaded(tmp_path, text + f"{section}_dir_2 = ~/two\n")
    for read, last in ((without, str(tmp_path / "first_2")), (given, os.path.expanduser("~/two"))):
        kept = getattr(read, section)
        first = str(tmp_path / "first")
        assert [kept.directory_of(host) for host in kept.hosts] == [first, first, last]
    by_port = getattr(loaded(tmp_path, f"[{section}]\n{section}_hosts = a:1\n"
                                       f"{section}_dir_1 = one\n"), section)
    assert by_port.directory_of(by_port.hosts[0]) == str(tmp_path / "one")
    with pytest.raises(TypeError):
        by_port.directories[1] = "another"


def test_data_nodes_with_one_port_on_two_hosts_share_their_key(tmp_path: Path) -> None:
    read = loaded(
        tmp_path,
        "[data_node]\ndata_node_hosts = a:1801,b:1801,c:9\ndata_node_dir_1801 = /disk\n",
    )
    assert [read.data_node.directories_of(host)[0] for host in read.data_node.hosts] == [
        "/disk",
        "/disk",
        str(tmp_path / "data" / "data_node_9"),
    ]


@pytest.mark.parametrize(
    "line, field, value",
    [
        ("block_size = 4096", "block_size", 4096),
        ("block_size = 4K", "block_size", 4096),
        ("block_size = 128M", "block_size", 134217728),
        ("block_size = 1g", "block_size", 1 << 30),
        ("block_size = 1T", "block_size", 1 << 40),
        ("replication_factor = 512", "replication_factor", 512),
        ("safe_mode_threshold = 0", "safe_mode_threshold", 0.0),
        ("safe_mode_threshold = 1.0", "safe_mode_threshold", 1.0),
        ("dead_seconds = 2", "dead_seconds", 2.0),
        ("replication_interval_seconds = .2", "replication_interval_seconds", 0.2),
        ("name_node_hosts = A.example:1, [::1]:65535", "hosts",
         (Address("a.example", 1), Address("::1", 65535))),
    ],
)
def test_values_are_read_as_what_they_are(
    tmp_path: Path, line: str, field: str, value: object
) -> None:
    read = getattr(loaded(tmp_path, f"[name_node]\n{line}\n").name_node, field)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("word, value", [("true", True), ("Yes", True), ("1", True), ("on", True),
                                         ("false", False), ("no", False), ("0", False)])
def test_booleans_have_several_names(tmp_path: Path, word: str, value: bool) -> None:
    assert loaded(tmp_path, f"[security]\nallow_insecure={word}").security.allow_insecure is value


def test_groups_have_any_name_and_any_members(tmp_path: Path) -> None:
    text = "[groups]\nsupergroup = alice\nnight shift = bob, alice ,é d\nempty =\n"
    groups = loaded(tmp_path, text).groups
    night_shift = ("bob", "alice", "é d")
    assert dict(groups.members) == {"supergroup": ("alice",), "night shift": night_shift}
    assert groups.of("alice") == ("supergroup", "night shift")
    assert groups.of("bob") == ("night shift",) and groups.of("carol") == ()
    with pytest.raises(TypeError):
        groups.members["supergroup"] = ()


@pytest.mark.parametrize(
    "line, complaint",
    [
        ("g = a,,b", "2: found g = 'a,,b', expected a list of names"),
        ("g = a,b,a", "2: g: found a twice, expected it once"),
        ("g = " + "a" * 256, "expected a list of names"),
        ("g" * 256 + " = a", "2: found unknown key"),
        (" = a", "2: found unknown key ''"),
    ],
)
def test_groups_that_are_none_are_refused(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, f"[groups]\n{line}\n")
    assert complaint in caught.value.message


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, named = tmp_path / "given.ini", tmp_path / "named.ini"
    given.write_text("[client]\nretry_seconds = 1\n")
    named.write_text("[client]\nretry_seconds = 2\n")
    monkeypatch.setenv("PYHDFS_CONFIG", str(named))
    assert load(str(given)).client.retry_seconds == 1.0
    assert load(None).client.retry_seconds == 2.0
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYHDFS_CONFIG", "given.ini")
    assert load(None).path == str(given)
    for nothing in (lambda: monkeypatch.setenv("PYHDFS_CONFIG", ""),
                    lambda: monkeypatch.delenv("PYHDFS_CONFIG")):
        nothing()
        assert load(None).path == str(SHIPPED)


def test_an_installed_package_without_a_file_has_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYHDFS_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(settings, "__file__", str(tmp_path / "site" / "zookeeper" / "fabric" / "x"))
    read = load(None)
    assert read.path == ""
    assert read.name_node == default_name_node(tmp_path / ".pyhdfs")
    assert read.metadata.metadata_dir == str(tmp_path / ".pyhdfs" / "data" / "metadata")


# The shipped file: the table of the dataclasses, written for a person.


def shipped_lines() -> Dict[Tuple[str, str], Tuple[bool, str, str]]:
    """(section, key) -> (is active, value, comment above it) of config.ini as it is shipped."""
    found: Dict[Tuple[str, str], Tuple[bool, str, str]] = {}
    section = comment = ""
    for line in SHIPPED.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line.startswith("# "):
            comment = line[2:]
        elif section and line:
            key, _, value = line.lstrip("#").partition("=")
            assert (section, key.strip()) not in found
            found[section, key.strip()] = (not line.startswith("#"), value.strip(), comment)
    return found


SHOWN_PORTS = {
    "data_node_dir_<port>": [1801, 1802, 1803],
    "metadata_dir_<port>": [18006],
    "zookeeper_dir_<port>": [18862],
}
"""Key of the table -> ports for which config.ini shows it; of a second one there is no default."""


def test_the_shipped_file_lists_exactly_the_fields(tmp_path: Path) -> None:
    expected: Dict[Tuple[str, str], str] = {}
    for section in SECTIONS:
        for key, (_, setting) in table(section).items():
            ports = SHOWN_PORTS.get(key, [0])
            for port in ports if key != "name_name_hosts" else []:
                key = key.replace("<name>", "supergroup")  # The one that most files will name.
                expected[section, key.replace("<port>", str(port))] = setting.meaning
    assert {place: comment for place, (_, _, comment) in shipped_lines().items()} == expected


def test_the_shipped_file_states_the_defaults(tmp_path: Path) -> None:
    lines = [f"[{section}]\n" + "".join(f"{key} = {value}\n" for (other, key), (_, value, _)
                                       in shipped_lines().items() if other == section
                                       and not key.endswith(("_18006", "_18862")))
             for section in SECTIONS]
    with_all_active = loaded(tmp_path, "".join(lines))
    # Who begins with this file gets a gateway; clusters of older files get none unasked.
    default = replace(with_all_active.web, hosts=())
    assert replace(with_all_active, web=default) == loaded(tmp_path, "")
    assert [str(host) for host in with_all_active.web.hosts] == ["localhost:9870"]
    assert replace(load(str(SHIPPED)), path="").client == Settings().client


def test_the_original_keys_are_the_active_ones() -> None:
    active = [key for (_, key), (is_active, _, _) in shipped_lines().items() if is_active]
    assert sorted(active) == sorted([
        "name_node_hosts", "block_size", "replication_factor", "data_node_hosts",
        "data_node_dir_1801", "data_node_dir_1802", "data_node_dir_1803", "metadata_hosts",
        "zookeeper_hosts", "web_hosts"])


def test_the_shipped_file_keeps_all_data_below_one_folder() -> None:
    read = load(str(SHIPPED))
    places = [read.metadata.metadata_dir, read.zookeeper.zookeeper_dir]
    places += [path for paths in read.data_node.directories.values() for path in paths]
    places.append(read.name_node.name_node_dir)
    assert len(set(places)) == 6
    assert all(os.path.dirname(path) == str(ROOT / "data") for path in places)


def test_every_field_is_a_row_of_the_table() -> None:
    for section, make in SECTIONS.items():
        rows = fields(make)
        assert {name for name, _ in table(section).values()} == {row.name for row in rows}
        assert all(row.metadata["setting"].meaning for row in rows)


# A client reads the settings at every start.


def test_reading_is_quick_and_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from zookeeper.fabric.settings import load\n"
        "load('config.ini')\n"
        "print(sorted({'difflib', 'configparser', 'argparse', 'socket', 'rpyc', 'json'}"
        " & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_loading_does_little() -> None:
    """Every command loads them. Counted in calls, 1,500 today: a time depends on the machine."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event.endswith("call")

    sys.setprofile(count)
    try:
        load(str(SHIPPED))
    finally:
        sys.setprofile(None)
    assert 0 < calls < 4_000


@pytest.mark.parametrize("given, effective", [("64K", 4 << 20), ("4M", 4 << 20), ("5M", 5 << 20)])
def test_a_message_may_have_what_an_edit_and_a_report_need(
    tmp_path: Path, given: str, effective: int
) -> None:
    """With less, one deep `mkdir -p` could not be recorded, and ended the namenode's term."""
    path = tmp_path / "config.ini"
    path.write_text(f"[network]\nmax_frame_bytes = {given}\n", "utf-8")
    assert load(str(path)).network.max_frame_bytes == effective
