"""config.ini for test clusters: impatient intervals, small blocks, everything in one folder."""

from pathlib import Path
from typing import Dict, Mapping

Sections = Dict[str, Dict[str, object]]

IMPATIENT: Sections = {
    "name_node": {
        "block_size": "1M",
        "safe_mode_extension_seconds": 0,
        "stale_seconds": 2,
        "dead_seconds": 4,
        "complete_timeout_seconds": 10,
        "replication_interval_seconds": 0.2,
        "replication_timeout_seconds": 10,
    },
    "data_node": {
        "heartbeat_seconds": 0.2,
        # The disk of a machine that runs tests may be nearly full.
        "reserved_bytes": 0,
    },
    "zookeeper": {"session_heartbeat_seconds": 0.2, "session_expiry_seconds": 2},
    "client": {"retry_seconds": 30},
    # Every daemon listens here, whatever address leads to it (see `Cluster.link`).
    "network": {"bind_host": "127.0.0.1", "call_timeout_seconds": 15, "stall_timeout_seconds": 5},
}
"""Times that a test can wait for, and that a machine which others use too can keep."""

_HOSTS_KEYS = {
    "zookeeper": ("zookeeper", "zookeeper_hosts"),
    "metadata": ("metadata", "metadata_hosts"),
    "name_node": ("name_node", "name_node_hosts"),
    "data_node": ("data_node", "data_node_hosts"),
}


def kind_of(role: str) -> str:
    """`data_node` for `data_node_2`; the other roles are their own kind."""
    return "data_node" if role.startswith("data_node_") else role


def sections_for(
    folder: Path, addresses: Mapping[str, str], overrides: Mapping[str, Mapping[str, object]]
) -> Sections:
    """All settings of a cluster below `folder`; `addresses` is role -> host:port."""
    sections: Sections = {name: dict(keys) for name, keys in IMPATIENT.items()}
    for kind, (section, key) in _HOSTS_KEYS.items():
        hosts = [address for role, address in addresses.items() if kind_of(role) == kind]
        sections.setdefault(section, {})[key] = ", ".join(hosts)
    sections["zookeeper"]["zookeeper_dir"] = data_directory(folder, "zookeeper")
    sections["metadata"]["metadata_dir"] = data_directory(folder, "metadata")
    for role, address in addresses.items():
        if kind_of(role) == "data_node":
            port = address.rpartition(":")[2]
            sections["data_node"][f"data_node_dir_{port}"] = data_directory(folder, role)
    for name, keys in overrides.items():
        sections.setdefault(name, {}).update(keys)
    return sections


def data_directory(folder: Path, role: str) -> Path:
    """Where a daemon keeps what must survive it."""
    return folder / "data" / role


def write(path: Path, sections: Sections) -> None:
    """The file, in the form that the daemons read."""
    lines = []
    for name, keys in sections.items():
        lines += [f"[{name}]"] + [f"{key} = {value}" for key, value in keys.items()] + [""]
    path.write_text("\n".join(lines), "utf-8")
