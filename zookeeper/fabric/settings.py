"""The settings of the cluster, read from config.ini as the table in `sections` has them.

What is not understood is an error: a misspelt key that was ignored would leave a cluster with a
promise that nobody asked for.
"""

import os
from dataclasses import MISSING, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Dict, Optional, Tuple, Type, get_type_hints

from zookeeper.fabric.config_file import (
    NAME,
    PORT,
    Address,
    Kind,
    Line,
    error_at,
    parse_address,
    read_file,
    row_of,
    shown,
)
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.section import Section, Setting
from zookeeper.fabric.sections import (
    ClientSettings,
    DataNodeSettings,
    GroupsSettings,
    MetadataSettings,
    NameNodeSettings,
    NetworkSettings,
    SecuritySettings,
    WebSettings,
    ZooKeeperSettings,
)

__all__ = [
    "Address", "parse_address", "Settings", "NameNodeSettings", "DataNodeSettings",
    "MetadataSettings", "ZooKeeperSettings", "ClientSettings", "SecuritySettings",
    "NetworkSettings", "WebSettings", "GroupsSettings", "load", "Setting", "SECTIONS", "table",
    "ENVIRONMENT_VARIABLE",
]

ENVIRONMENT_VARIABLE = "PYHDFS_CONFIG"

FRAME_BYTES_MIN = 4 << 20
"""What a message may have whatever the file says: every edit (half of it), page and report fits."""

Found = Dict[str, Dict[str, Line]]
"""Section -> key -> line: what a file says before anybody understands it."""


@dataclass(init=False, repr=False, eq=False)
class Settings(Section):
    """All of config.ini; `path` is the absolute path of the file, or empty without one."""

    path: str = ""
    name_node: NameNodeSettings = field(default_factory=NameNodeSettings)
    data_node: DataNodeSettings = field(default_factory=DataNodeSettings)
    metadata: MetadataSettings = field(default_factory=MetadataSettings)
    zookeeper: ZooKeeperSettings = field(default_factory=ZooKeeperSettings)
    client: ClientSettings = field(default_factory=ClientSettings)
    security: SecuritySettings = field(default_factory=SecuritySettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    web: WebSettings = field(default_factory=WebSettings)
    groups: GroupsSettings = field(default_factory=GroupsSettings)


SECTIONS: Dict[str, Type[Any]] = {
    name: kind for name, kind in get_type_hints(Settings).items() if name != "path"}

# The first is at least so many times the second: who waits for less than two heartbeats takes the
# living for dead.
_INTERVALS = (
    ("zookeeper", "session_expiry_seconds", 2, "zookeeper", "session_heartbeat_seconds"),
    ("name_node", "stale_seconds", 2, "data_node", "heartbeat_seconds"),
    ("name_node", "dead_seconds", 2, "data_node", "heartbeat_seconds"),
    ("name_node", "lease_hard_seconds", 1, "name_node", "lease_soft_seconds"),
)


def table(section: str) -> Dict[str, Tuple[str, Setting]]:
    """Every key that this section may hold -> (name of the field, its row of the table)."""
    rows = {}
    for row in fields(SECTIONS[section]):
        setting: Setting = row.metadata["setting"]
        for key in setting.keys or (row.name,):
            rows[key] = (row.name, setting)
    return rows


def load(path: Optional[str] = None) -> Settings:
    """The settings of `path`, else of $PYHDFS_CONFIG, else of the repository's config.ini.

    Relative paths are relative to the file. An installed package has no config.ini of its own:
    then all defaults hold, and data lies below ~/.pyhdfs, wherever a daemon is started from.
    Raises SettingsError, one line.
    """
    if path is None:
        path = os.environ.get(ENVIRONMENT_VARIABLE) or _own_file()
        if not path:
            return _settings("", os.path.expanduser("~/.pyhdfs"), {})
    path = os.path.abspath(path)
    known = {section: table(section) for section in SECTIONS}
    return _settings(path, os.path.dirname(path), read_file(path, known))


def _own_file() -> str:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    path = os.path.join(root, "config.ini")
    return path if os.path.exists(path) else ""


def _settings(path: str, folder: str, found: Found) -> Settings:
    sections = {section: cls(**_values(path, folder, section, found.get(section, {})))
                for section, cls in SECTIONS.items()}
    data_node = sections["data_node"]
    for section in ("data_node", "metadata", "zookeeper"):
        _check_directories(path, section, sections[section], found.get(section, {}))
    directories = {address.port: _absolute(folder, data_node.directories_of(address))
                   for address in data_node.hosts}
    sections["data_node"] = replace(data_node, directories=MappingProxyType(directories))
    members = {group: users for group, users in sections["groups"].members.items() if users}
    sections["groups"] = replace(sections["groups"], members=MappingProxyType(members))
    network = sections["network"]
    frame = max(network.max_frame_bytes, FRAME_BYTES_MIN)
    sections["network"] = replace(network, max_frame_bytes=frame)
    _check_intervals(path, sections, found)
    return Settings(path=path, **sections)


def _values(path: str, folder: str, section: str, lines: Dict[str, Line]) -> Dict[str, Any]:
    """Name of the field -> value, for every field that has a line or is a path."""
    rows = table(section)
    values: Dict[str, Any] = {}
    for key, line in lines.items():
        pattern = row_of(key, rows)
        name, setting = rows[pattern]
        value = _value(path, key, line, setting.kind)
        if pattern.endswith(PORT):
            values.setdefault(name, {})[int(key.rpartition("_")[2])] = _absolute(folder, value)
        elif pattern == NAME:
            values.setdefault(name, {})[key] = value
        elif name in values:
            raise error_at(path, line.number, f"both {' and '.join(setting.keys)}", "one of them")
        else:
            values[name] = value
    for row in fields(SECTIONS[section]):
        if row.metadata["setting"].kind.is_path and row.default is not MISSING:
            values[row.name] = _absolute(folder, values.get(row.name, row.default))
    return {name: MappingProxyType(value) if isinstance(value, dict) else value
            for name, value in values.items()}


def _value(path: str, key: str, line: Line, kind: Kind) -> Any:
    try:
        return kind.read(line.value)
    except ValueError:
        raise error_at(path, line.number, f"{key} = {shown(line.value)}", kind.expected) from None
    except SettingsError as error:
        raise SettingsError(f"{path}:{line.number}: {key}: {error.message}") from None


def _absolute(folder: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_absolute(folder, item) for item in value)
    # An optional path that is not given stays empty.
    return os.path.normpath(os.path.join(folder, os.path.expanduser(value))) if value else value


def _check_directories(path: str, section: str, read: Any, lines: Dict[str, Line]) -> None:
    """A directory of nobody, or two of one, would be a disk that somebody believes is in use."""
    ports = {address.port for address in read.hosts}
    for port in read.directories:
        key, first = f"{section}_dir_{port}", f"{section}_dir"
        if port not in ports:
            raise error_at(path, lines[key].number, key,
                           f"a port of {section}_hosts: " + ", ".join(map(str, sorted(ports))))
        if first in lines and port == read.hosts[0].port:
            raise error_at(path, lines[key].number, f"both {first} and {key}", "one of them")


def _check_intervals(path: str, sections: Dict[str, Any], found: Found) -> None:
    for longer_section, longer, times, shorter_section, shorter in _INTERVALS:
        longest = _named(sections, longer_section, longer)
        least = times * _named(sections, shorter_section, shorter)
        if longest < least:
            lines = (found.get(longer_section, {}).get(longer),
                     found.get(shorter_section, {}).get(shorter))
            # The defaults agree with each other, so at least one of the two stands in the file.
            line_number = next(line.number for line in lines if line)
            raise error_at(path, line_number, f"{longer} = {longest:g} in [{longer_section}]",
                           f"at least {least:g}: {times} x {shorter} of [{shorter_section}]")


def _named(sections: Dict[str, Any], section: str, key: str) -> float:
    name, _ = table(section)[key]
    return float(getattr(sections[section], name))
