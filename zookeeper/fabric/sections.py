"""The sections of config.ini: every setting with its key, default, unit, limits and meaning.

The dataclasses below are the one table: a field's name is its key in the file unless it names
another, its default is the default, its kind says what a value may be. The reader, and the
comments of config.ini, are checked against this table.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Mapping, Tuple

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
    count,
    members,
    number,
    size,
)
from zookeeper.fabric.section import Section, setting


def _local(*ports: int) -> Tuple[Address, ...]:
    return tuple(Address("localhost", port) for port in ports)


@dataclass(init=False, repr=False, eq=False)
class NameNodeSettings(Section):
    """[name_node]: what new files get, when a datanode is dead, how fast copies are made."""

    hosts: Tuple[Address, ...] = setting(
        _local(1800), ADDRESSES, "where the namenode listens", "name_node_hosts", "name_name_hosts")
    block_size: int = setting(134217728, size("4K", "1T"), "bytes of a block of a new file")
    replication_factor: int = setting(2, count(1, 512), "replicas of a block of a new file")
    safe_mode_threshold: float = setting(
        0.999, number("a fraction", 0.0, 1.0),
        "fraction of blocks that must be reported before changes are allowed")
    safe_mode_extension_seconds: float = setting(
        1.0, number("a number of seconds", 0.0, 86400.0), "how long safe mode goes on after that")
    stale_seconds: float = setting(
        10.0, SECONDS, "silence after which a datanode is avoided, and a leader that most of them "
        "miss gives way")
    dead_seconds: float = setting(
        600.0, SECONDS, "silence after which a datanode is dead and its blocks are copied: longer "
        "than a machine needs to start anew")
    leader_seconds: float = setting(
        1.5, SECONDS, "silence after which another namenode may lead in place of the one that does")
    lease_soft_seconds: float = setting(
        60.0, SECONDS, "silence after which another may take a writer's file")
    lease_hard_seconds: float = setting(
        1200.0, SECONDS, "silence after which a writer's unfinished file is dropped")
    complete_timeout_seconds: float = setting(
        30.0, SECONDS, "how long the end of a file waits for every replica's confirmation")
    replication_interval_seconds: float = setting(
        0.5, number("a number of seconds", 0.2, 60.0),
        "pause between looks at who is alive and what must be copied or removed")
    max_replication_streams: int = setting(2, count(1, 1024), "copies at once from one datanode")
    max_replications: int = setting(64, count(1, 65536), "copies at once in all")
    replication_timeout_seconds: float = setting(
        300.0, SECONDS, "time after which an unconfirmed copy is planned again")
    name_node_dir: str = setting(
        "data/name_node", PATH, "directory of what metasave writes; nothing else lies there")
    audit_log: str = setting(
        "", OPTIONAL_PATH, "file that tells, in a line for each call, who did what to which path")
    audit_log_bytes: int = setting(256 << 20, size("4K", "1T"), "size at which it is put aside")
    audit_log_files: int = setting(20, count(1, 1000), "files that were put aside and are kept")


@dataclass(init=False, repr=False, eq=False)
class DataNodeSettings(Section):
    """[data_node]: where blocks lie and how they are looked after."""

    hosts: Tuple[Address, ...] = setting(
        _local(1801, 1802, 1803), ADDRESSES, "where the datanodes listen", "data_node_hosts")
    directories: Mapping[int, Tuple[str, ...]] = setting(
        lambda: MappingProxyType({}), PATHS,
        "directories of the datanode with this port; several are separated by commas",
        "data_node_dir_" + PORT)
    heartbeat_seconds: float = setting(1.0, SECONDS, "pause between heartbeats to the namenode")
    block_report_seconds: float = setting(21600.0, SECONDS, "pause between full block reports")
    reserved_bytes: int = setting(64 << 20, size("0", "1024T"), "bytes of a disk that stay free")
    trash_seconds: float = setting(86400.0, SECONDS, "how long the trash keeps unclaimed blocks")
    scan_period_seconds: float = setting(
        1814400.0, SECONDS, "time in which every block on disk is verified once")
    scan_bytes_per_second: int = setting(4 << 20, size("4K", "1T"), "bytes a second read for that")
    max_streams: int = setting(
        256, count(1, 65536), "transfers of blocks at once; one user has half")
    rack: str = setting("/default-rack", RACK, "where this machine stands in the network")

    def directories_of(self, address: Address) -> Tuple[str, ...]:
        """Where the datanode at this address keeps its blocks; paths, at least one."""
        return self.directories.get(address.port, (f"data/data_node_{address.port}",))


@dataclass(init=False, repr=False, eq=False)
class MetadataSettings(Section):
    """[metadata]: the durable record of the namespace."""

    hosts: Tuple[Address, ...] = setting(
        _local(18005), members(1, 3, 5),
        "where the metadata services listen: 1, 3 or 5",
        "metadata_hosts")
    metadata_dir: str = setting(
        "data/metadata", PATH,
        "directory of the first one's database, and of others that have its port")
    directories: Mapping[int, str] = setting(
        lambda: MappingProxyType({}), PATH,
        "directory of the one with this port, in place of the first one's name, _ and the port",
        "metadata_dir_" + PORT)
    append_timeout_seconds: float = setting(
        30.0, SECONDS, "how long the namenode tries to get an edit recorded")
    keep_edits: int = setting(100000, count(1, 10**9), "how many of the newest edits are kept")
    catch_up_bytes_per_second: int = setting(
        8 << 20, size("16K", "1T"), "bytes a second that one reads from the others to catch up")
    admit_new_disks: bool = setting(
        True, BOOLEAN, "let another disk at the address of a lost one take its place by itself")

    def directory_of(self, address: Address) -> str:
        """Where the metadata service at this address keeps its database."""
        return _directory_of(address, self.hosts, self.metadata_dir, self.directories)


@dataclass(init=False, repr=False, eq=False)
class ZooKeeperSettings(Section):
    """[zookeeper]: who is alive."""

    hosts: Tuple[Address, ...] = setting(
        _local(18861), members(1, 3),
        "where the zookeepers listen: 1 or 3",
        "zookeeper_hosts")
    zookeeper_dir: str = setting(
        "data/zookeeper", PATH,
        "directory that the first one locks, and others that have its port")
    directories: Mapping[int, str] = setting(
        lambda: MappingProxyType({}), PATH,
        "directory of the one with this port, in place of the first one's name, _ and the port",
        "zookeeper_dir_" + PORT)
    heartbeat_seconds: float = setting(
        1.0, SECONDS, "pause between heartbeats of a session", "session_heartbeat_seconds")
    session_expiry_seconds: float = setting(10.0, SECONDS, "silence that ends a session")

    def directory_of(self, address: Address) -> str:
        """What the zookeeper at this address owns, so that no two are one."""
        return _directory_of(address, self.hosts, self.zookeeper_dir, self.directories)


def _directory_of(
    address: Address, hosts: Tuple[Address, ...], of_first: str, others: Mapping[int, str]
) -> str:
    """As with datanodes the port tells: one file serves all machines, with one port on each."""
    beside = of_first if address.port == hosts[0].port else f"{of_first}_{address.port}"
    return others.get(address.port, beside)


@dataclass(init=False, repr=False, eq=False)
class ClientSettings(Section):
    """[client]: how patient a command is."""

    connect_seconds: float = setting(3.0, SECONDS, "how long the first contact may take")
    retry_seconds: float = setting(
        120.0, SECONDS, "how long an operation in progress rides out an outage")
    parallel_blocks: int = setting(2, count(1, 64), "blocks fetched at once")
    short_circuit: bool = setting(
        True, BOOLEAN, "read replicas on the client's own machine as files, which datanodes open")
    trash_minutes: int = setting(
        0, count(0, 10**9), "how long the trash keeps what rm removes; 0: there is no trash")


@dataclass(init=False, repr=False, eq=False)
class SecuritySettings(Section):
    """[security]: who may speak to the cluster."""

    mode: str = setting("simple", MODE, "simple (names are believed) or secret (keys)")
    key_file: str = setting(
        "", OPTIONAL_PATH, "file of the cluster's key, or of one that issueKey wrote")
    old_key_file: str = setting(
        "", OPTIONAL_PATH, "file of the cluster's key before, valid as long as it is there")
    revoked_file: str = setting(
        "", OPTIONAL_PATH, "list of principals whose keys are void")
    token_seconds: float = setting(
        600.0, number("a number of seconds", 0.2, 86400.0),
        "how long a reader or writer may begin with what the namenode told of a block; clocks may "
        "differ by half of it, but 5 minutes")
    delegation_token_renew_seconds: float = setting(
        86400.0, SECONDS, "how long a delegation token is good without being renewed")
    delegation_token_max_seconds: float = setting(
        604800.0, SECONDS, "how long it is good at most")
    proxy_users: Tuple[Tuple[str, str], ...] = setting(
        (), PROXIES, "who acts for whom, such as hue=alice, etl=*; never for superusers")
    allow_insecure: bool = setting(
        False, BOOLEAN, "let mode simple, and passwords without tls, be heard on more "
        "than the loopback interface")
    tls: bool = setting(False, BOOLEAN, "encrypt what goes over the network; needs mode secret")
    ca_file: str = setting("", OPTIONAL_PATH, "PEM file of who signs the cluster's certificates")
    certificate_file: str = setting(
        "", OPTIONAL_PATH, "PEM file of a daemon's certificate; clients need none")
    certificate_key_file: str = setting(
        "", OPTIONAL_PATH, "PEM file of its private key, readable by its owner only")


@dataclass(init=False, repr=False, eq=False)
class NetworkSettings(Section):
    """[network]: limits of every listening process and every connection."""

    bind_host: str = setting(
        "", PERHAPS_HOST, "listen here instead of on the host that is advertised")
    call_timeout_seconds: float = setting(30.0, SECONDS, "how long an answer may take")
    handshake_timeout_seconds: float = setting(3.0, SECONDS, "how long authentication may take")
    idle_timeout_seconds: float = setting(3600.0, SECONDS, "silence that closes a connection")
    stall_timeout_seconds: float = setting(30.0, SECONDS, "pause amid a transfer that breaks it")
    max_connections: int = setting(1024, count(1, 65536), "connections at once to one process")
    max_connections_per_host: int = setting(
        512, count(1, 65536), "of these, from one host; one user has half")
    max_frame_bytes: int = setting(
        16 << 20, size("64K", "1G"), "bytes of a message at most; below 4M, 4M")


@dataclass(init=False, repr=False, eq=False)
class WebSettings(Section):
    """[web]: the gateway, for those who speak HTTP."""

    hosts: Tuple[Address, ...] = setting(
        (), PERHAPS_ADDRESSES, "where the web gateways listen; nothing: there is none", "web_hosts")
    web_names: Tuple[str, ...] = setting(
        (), NAMES, "names by which they may be called besides those, of a proxy say")
    web_user: str = setting("dr.who", USER_NAME, "whose name a request has that says none")
    web_origins: Tuple[str, ...] = setting(
        (), ORIGINS, "sites whose pages may use them in a browser, each with scheme and port")
    metrics_public: bool = setting(False, BOOLEAN, "let everybody read /metrics and /jmx")


@dataclass(init=False, repr=False, eq=False)
class GroupsSettings(Section):
    """[groups]: who is in which group, a line for each as in /etc/group."""

    members: Mapping[str, Tuple[str, ...]] = setting(
        lambda: MappingProxyType({}), NAMES,
        "users in the group of this name, besides those whom the namenode's system lists", NAME)

    def of(self, user: str) -> Tuple[str, ...]:
        """The groups that a user is in, in the order of the file."""
        return tuple(group for group, users in self.members.items() if user in users)
