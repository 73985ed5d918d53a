"""config.ini for test clusters: impatient intervals, small blocks, everything in one folder."""

import os
from pathlib import Path
from typing import Dict, List, Mapping

from tests.support.links import certificates

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
    "gateway": ("web", "web_hosts"),
}


def kind_of(role: str) -> str:
    """`data_node` for `data_node_2`, `name_node` for `name_node_1`; others are their own kind."""
    kind, _, number = role.rpartition("_")
    return kind if number.isdecimal() else role


def sections_for(
    folder: Path,
    addresses: Mapping[str, str],
    directories: Mapping[str, int],
    overrides: Mapping[str, Mapping[str, object]],
) -> Sections:
    """All settings of a cluster below `folder`.

    `addresses` is role -> host:port, `directories` role -> how many, where it is not one.
    """
    sections: Sections = {name: dict(keys) for name, keys in IMPATIENT.items()}
    for kind, (section, key) in _HOSTS_KEYS.items():
        hosts = [address for role, address in addresses.items() if kind_of(role) == kind]
        if hosts:
            sections.setdefault(section, {})[key] = ", ".join(hosts)
    for role, address in addresses.items():
        kind, port = kind_of(role), address.rpartition(":")[2]
        if kind in ("data_node", "metadata", "zookeeper"):
            paths = ", ".join(map(str, data_directories(folder, role, directories)))
            key = f"{kind}_dir" if role == kind else f"{kind}_dir_{port}"
            sections[kind][key] = paths
    for name, keys in overrides.items():
        sections.setdefault(name, {}).update(keys)
    return sections


def secured(folder: Path, security: str) -> Dict[str, object]:
    """The section of a cluster in this mode, and in `folder` the files that it names."""
    if security == "simple":
        return {}
    key = folder / "cluster.key"
    if not key.exists():
        key.touch(0o600)
        key.write_bytes(os.urandom(32))
    section: Dict[str, object] = {
        "mode": "secret",
        "key_file": key,
        "old_key_file": folder / "cluster.key.old",
        "revoked_file": folder / "revoked",
    }
    if security == "tls":
        for kind in _HOSTS_KEYS:
            certificates.make(_certificates(folder), kind, kind, *certificates.OWN_HOSTS)
        section.update(tls="yes", ca_file=_certificates(folder) / "ca.pem")
    return section


def certified(folder: Path, role: str) -> Dict[str, object]:
    """What is in the section of the daemon of this role besides, and in nobody else's."""
    own = _certificates(folder) / kind_of(role)
    return {"certificate_file": f"{own}.pem", "certificate_key_file": f"{own}.key"}


def _certificates(folder: Path) -> Path:
    return folder / "certificates"


def data_directories(folder: Path, role: str, directories: Mapping[str, int]) -> List[Path]:
    """Where a daemon keeps what must survive it: one place, or as many as `directories` says."""
    first = folder / "data" / role
    return [first] + [Path(f"{first}-{more}") for more in range(1, directories.get(role, 1))]


def write(path: Path, sections: Sections) -> None:
    """The file, in the form that the daemons read."""
    lines = []
    for name, keys in sections.items():
        lines += [f"[{name}]"] + [f"{key} = {value}" for key, value in keys.items()] + [""]
    path.write_text("\n".join(lines), "utf-8")
