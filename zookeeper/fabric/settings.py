"""The settings of the cluster: every one with its default, unit and limits, read from config.ini.

The dataclasses below are the one table: a field's name is its key in the file unless it names
another, its default is the default, its kind says what a value may be. Sections, keys, types and
ranges of the reader, and the comments of config.ini, are checked against this table. What is not
understood is an error: a misspelt key that was ignored would leave a cluster with a promise that
nobody asked for.
"""

import os
from dataclasses import MISSING, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple, Type, get_type_hints

from zookeeper.fabric.config_file import (
    ADDRESSES,
    BOOLEAN,
    MODE,
    NAME,
    NAMES,
    OPTIONAL_PATH,
    ORIGINS,
    PATH,
    PATHS,
    PERHAPS_ADDRESSES,
    PERHAPS_HOST,
    PORT,
    PROXIES,
    RACK,
    SECONDS,
    USER_NAME,
    Address,
    Kind,
    Line,
    count,
    error_at,
    number,
    parse_address,
    read_file,
    row_of,
    shown,
    size,
)
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.section import Section

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


class Setting(NamedTuple):
    """One row of the table: kind, meaning for a person, keys in the file (the first one shown)."""

    kind: Kind
    meaning: str
    keys: Tuple[str, ...]


def _setting(default: Any, kind: Kind, meaning: str, *keys: str) -> Any:
    metadata = {"setting": Setting(kind, meaning, keys)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def _local(*ports: int) -> Tuple[Address, ...]:
    return tuple(Address("localhost", port) for port in ports)


@dataclass(init=False, repr=False, eq=False)
class NameNodeSettings(Section):
    """[name_node]: what new files get, when a datanode is dead, how fast copies are made."""

    hosts: Tuple[Address, ...] = _setting(
        _local(1800), ADDRESSES, "where the namenode listens", "name_node_hosts", "name_name_hosts")
    block_size: int = _setting(134217728, size("4K", "1T"), "bytes of a block of a new file")
    replication_factor: int = _setting(2, count(1, 512), "replicas of a block of a new file")
    safe_mode_threshold: float = _setting(
        0.999, number("a fraction", 0.0, 1.0),
        "fraction of blocks that must be reported before changes are allowed")
    safe_mode_extension_seconds: float = _setting(
        1.0, number("a number of seconds", 0.0, 86400.0), "how long safe mode goes on after that")
    stale_seconds: float = _setting(10.0, SECONDS, "silence after which a datanode is avoided")
    dead_seconds: float = _setting(
        600.0, SECONDS, "silence after which a datanode is dead and its blocks are copied: longer "
        "than a machine needs to start anew")
    lease_soft_seconds: float = _setting(
        60.0, SECONDS, "silence after which another may take a writer's file")
    lease_hard_seconds: float = _setting(
        1200.0, SECONDS, "silence after which a writer's unfinished file is dropped")
    complete_timeout_seconds: float = _setting(
        30.0, SECONDS, "how long the end of a file waits for every replica's confirmation")
    replication_interval_seconds: float = _setting(
        0.5, number("a number of seconds", 0.2, 60.0),
        "pause between looks at who is alive and what must be copied or removed")
    max_replication_streams: int = _setting(2, count(1, 1024), "copies at once from one datanode")
    max_replications: int = _setting(64, count(1, 65536), "copies at once in all")
    replication_timeout_seconds: float = _setting(
        300.0, SECONDS, "time after which an unconfirmed copy is planned again")
    name_node_dir: str = _setting(
        "data/name_node", PATH, "directory of what metasave writes; nothing else lies there")
    audit_log: str = _setting(
        "", OPTIONAL_PATH, "file that tells, in a line for each call, who did what to which path")
    audit_log_bytes: int = _setting(256 << 20, size("4K", "1T"), "size at which it is put aside")
    audit_log_files: int = _setting(20, count(1, 1000), "files that were put aside and are kept")


@dataclass(init=False, repr=False, eq=False)
class DataNodeSettings(Section):
    """[data_node]: where blocks lie and how they are looked after."""

    hosts: Tuple[Address, ...] = _setting(
        _local(1801, 1802, 1803), ADDRESSES, "where the datanodes listen", "data_node_hosts")
    directories: Mapping[int, Tuple[str, ...]] = _setting(
        lambda: MappingProxyType({}), PATHS,
        "directories of the datanode with this port; several are separated by commas",
        "data_node_dir_" + PORT)
    heartbeat_seconds: float = _setting(1.0, SECONDS, "pause between heartbeats to the namenode")
    block_report_seconds: float = _setting(21600.0, SECONDS, "pause between full block reports")
    reserved_bytes: int = _setting(64 << 20, size("0", "1024T"), "bytes of a disk that stay free")
    trash_seconds: float = _setting(86400.0, SECONDS, "how long the trash keeps unclaimed blocks")
    scan_period_seconds: float = _setting(
        1814400.0, SECONDS, "time in which every block on disk is verified once")
    scan_bytes_per_second: int = _setting(4 << 20, size("4K", "1T"), "bytes a second read for that")
    max_streams: int = _setting(
        256, count(1, 65536), "transfers of blocks at once; one user has half")
    rack: str = _setting("/default-rack", RACK, "where this machine stands in the network")

    def directories_of(self, address: Address) -> Tuple[str, ...]:
        """Where the datanode at this address keeps its blocks; paths, at least one."""
        return self.directories.get(address.port, (f"data/data_node_{address.port}",))


@dataclass(init=False, repr=False, eq=False)
class MetadataSettings(Section):
    """[metadata]: the durable record of the namespace."""

    hosts: Tuple[Address, ...] = _setting(
        _local(18005), ADDRESSES, "where the metadata service listens", "metadata_hosts")
    metadata_dir: str = _setting("data/metadata", PATH, "directory of its database")
    append_timeout_seconds: float = _setting(
        30.0, SECONDS, "how long the namenode tries to get an edit recorded")
    keep_edits: int = _setting(100000, count(1, 10**9), "how many of the newest edits are kept")


@dataclass(init=False, repr=False, eq=False)
class ZooKeeperSettings(Section):
    """[zookeeper]: who is alive."""

    hosts: Tuple[Address, ...] = _setting(
        _local(18861), ADDRESSES, "where the zookeeper listens", "zookeeper_hosts")
    zookeeper_dir: str = _setting("data/zookeeper", PATH, "directory of its epochs")
    heartbeat_seconds: float = _setting(
        1.0, SECONDS, "pause between heartbeats of a session", "session_heartbeat_seconds")
    session_expiry_seconds: float = _setting(10.0, SECONDS, "silence that ends a session")


@dataclass(init=False, repr=False, eq=False)
class ClientSettings(Section):
    """[client]: how patient a command is."""

    connect_seconds: float = _setting(3.0, SECONDS, "how long the first contact may take")
    retry_seconds: float = _setting(
        120.0, SECONDS, "how long an operation in progress rides out an outage")
    parallel_blocks: int = _setting(2, count(1, 64), "blocks fetched at once")
    short_circuit: bool = _setting(
        True, BOOLEAN, "read replicas on the client's own machine as files, which datanodes open")
    trash_minutes: int = _setting(
        0, count(0, 10**9), "how long the trash keeps what rm removes; 0: there is no trash")


@dataclass(init=False, repr=False, eq=False)
class SecuritySettings(Section):
    """[security]: who may speak to the cluster."""

    mode: str = _setting("simple", MODE, "simple (names are believed) or secret (keys)")
    key_file: str = _setting(
        "", OPTIONAL_PATH, "file of the cluster's key, or of one that issueKey wrote")
    old_key_file: str = _setting(
        "", OPTIONAL_PATH, "file of the cluster's key before, valid as long as it is there")
    revoked_file: str = _setting(
        "", OPTIONAL_PATH, "list of principals whose keys are void")
    token_seconds: float = _setting(
        600.0, number("a number of seconds", 0.2, 86400.0),
        "how long a reader or writer may begin with what the namenode told of a block; clocks may "
        "differ by half of it, but 5 minutes")
    delegation_token_renew_seconds: float = _setting(
        86400.0, SECONDS, "how long a delegation token is good without being renewed")
    delegation_token_max_seconds: float = _setting(
        604800.0, SECONDS, "how long it is good at most")
    proxy_users: Tuple[Tuple[str, str], ...] = _setting(
        (), PROXIES, "who acts for whom, such as hue=alice, etl=*; never for superusers")
    allow_insecure: bool = _setting(
        False, BOOLEAN, "let mode simple, and passwords without tls, be heard on more "
        "than the loopback interface")
    tls: bool = _setting(False, BOOLEAN, "encrypt what goes over the network; needs mode secret")
    ca_file: str = _setting("", OPTIONAL_PATH, "PEM file of who signs the cluster's certificates")
    certificate_file: str = _setting(
        "", OPTIONAL_PATH, "PEM file of a daemon's certificate; clients need none")
    certificate_key_file: str = _setting(
        "", OPTIONAL_PATH, "PEM file of its private key, readable by its owner only")


@dataclass(init=False, repr=False, eq=False)
class NetworkSettings(Section):
    """[network]: limits of every listening process and every connection."""

    bind_host: str = _setting(
        "", PERHAPS_HOST, "listen here instead of on the host that is advertised")
    call_timeout_seconds: float = _setting(30.0, SECONDS, "how long an answer may take")
    handshake_timeout_seconds: float = _setting(3.0, SECONDS, "how long authentication may take")
    idle_timeout_seconds: float = _setting(3600.0, SECONDS, "silence that closes a connection")
    stall_timeout_seconds: float = _setting(30.0, SECONDS, "pause amid a transfer that breaks it")
    max_connections: int = _setting(1024, count(1, 65536), "connections at once to one process")
    max_connections_per_host: int = _setting(
        512, count(1, 65536), "of these, from one host; one user has half")
    max_frame_bytes: int = _setting(
        16 << 20, size("64K", "1G"), "bytes of a message at most; below 4M, 4M")


@dataclass(init=False, repr=False, eq=False)
class WebSettings(Section):
    """[web]: the gateway, for those who speak HTTP."""

    hosts: Tuple[Address, ...] = _setting(
        (), PERHAPS_ADDRESSES, "where the web gateways listen; nothing: there is none", "web_hosts")
    web_names: Tuple[str, ...] = _setting(
        (), NAMES, "names by which they may be called besides those, of a proxy say")
    web_user: str = _setting("dr.who", USER_NAME, "whose name a request has that says none")
    web_origins: Tuple[str, ...] = _setting(
        (), ORIGINS, "sites whose pages may use them in a browser, each with scheme and port")
    metrics_public: bool = _setting(False, BOOLEAN, "let everybody read /metrics and /jmx")


@dataclass(init=False, repr=False, eq=False)
class GroupsSettings(Section):
    """[groups]: who is in which group, a line for each as in /etc/group."""

    members: Mapping[str, Tuple[str, ...]] = _setting(
        lambda: MappingProxyType({}), NAMES,
        "users in the group of this name, besides those whom the namenode's system lists", NAME)

    def of(self, user: str) -> Tuple[str, ...]:
        """The groups that a user is in, in the order of the file."""
        return tuple(group for group, users in self.members.items() if user in users)


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
    _check_directories(path, data_node, found)
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
    return values


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


def _check_directories(path: str, data_node: DataNodeSettings, found: Found) -> None:
    ports = {address.port for address in data_node.hosts}
    for port in data_node.directories:
        if port not in ports:
            key = f"data_node_dir_{port}"
            raise error_at(path, found["data_node"][key].number, key,
                           "a port of data_node_hosts: " + ", ".join(map(str, sorted(ports))))


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
