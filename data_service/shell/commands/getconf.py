"""getconf: what config.ini says, by HDFS's names for it and by our own."""

from typing import Any, Dict, List, Optional, Tuple

from data_service.shell.arguments.definitions import FIXED
from data_service.shell.failures import UsageError
from data_service.shell.session import Session
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.settings import SECTIONS, Settings, table

MILLISECONDS = 1000

SAME_IN_HDFS: Dict[str, Tuple[str, str, int]] = {
    "dfs.replication": ("name_node", "replication_factor", 1),
    "dfs.blocksize": ("name_node", "block_size", 1),
    "dfs.heartbeat.interval": ("data_node", "heartbeat_seconds", 1),
    "dfs.blockreport.intervalMsec": ("data_node", "block_report_seconds", MILLISECONDS),
    "dfs.datanode.du.reserved": ("data_node", "reserved_bytes", 1),
    "dfs.datanode.max.transfer.threads": ("data_node", "max_streams", 1),
    "dfs.namenode.replication.max-streams": ("name_node", "max_replication_streams", 1),
    "dfs.namenode.safemode.extension": ("name_node", "safe_mode_extension_seconds", MILLISECONDS),
    "dfs.namenode.safemode.threshold-pct": ("name_node", "safe_mode_threshold", 1),
    "dfs.namenode.stale.datanode.interval": ("name_node", "stale_seconds", MILLISECONDS),
    "fs.trash.interval": ("client", "trash_minutes", 1),
}
"""HDFS's key -> section, key and factor of ours."""

ABSENT = {"-includeFile": "dfs.hosts", "-excludeFile": "dfs.hosts.exclude"}


def getconf(session: Session, words: List[str]) -> None:
    """Show a setting, or who the namenodes are."""
    settings: Settings = session.filesystem.settings
    action = words[0] if words else ""
    if len(words) != (2 if action == "-confKey" else 1):
        raise UsageError("expected one of -namenodes, -nnRpcAddresses, -confKey KEY")
    addresses = settings.name_node.hosts
    if action == "-namenodes":
        lines = [" ".join(dict.fromkeys(address.host for address in addresses))]
    elif action == "-nnRpcAddresses":
        lines = [str(address) for address in addresses]
    elif action in ("-secondaryNameNodes", "-backupNodes"):
        lines = [""]  # There are none: another namenode of `name_node_hosts` stands by.
    elif action == "-confKey" or action in ABSENT:
        key = ABSENT.get(action) or words[1]
        found = value_of(settings, key)
        if found is None:
            raise InvalidArgument(f"Configuration {key} is missing.")
        lines = [found]
    else:
        raise UsageError(f"Illegal option {action}")
    for line in lines:
        session.out.line(line)


def value_of(settings: Settings, key: str) -> Optional[str]:
    """The value of HDFS's key or of `section.key` as text; None when there is no such key."""
    if key == "fs.defaultFS":
        return f"hdfs://{settings.name_node.hosts[0]}"
    if key in FIXED:
        return FIXED[key]
    if key in SAME_IN_HDFS:
        section, name, factor = SAME_IN_HDFS[key]
        return _text(getattr(getattr(settings, section), name) * factor)
    section, _, name = key.partition(".")
    if section not in SECTIONS:
        return None
    found = getattr(settings, section)
    if section == "groups":
        return _text(found.members[name]) if name in found.members else None
    row = table(section).get(name)
    if row is None or row[0] == "directories":
        return _directories(settings, name) if section == "data_node" else None
    return _text(getattr(found, row[0]))


def _directories(settings: Settings, name: str) -> Optional[str]:
    """The value of `data_node_dir_<port>`."""
    for address in settings.data_node.hosts:
        if name == f"data_node_dir_{address.port}":
            return _text(settings.data_node.directories_of(address))
    return None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)
