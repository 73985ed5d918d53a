"""A config.ini in which every process is there more than once, all of them on this machine.

    python -m scripts.supervision.highly_available FILE

writes FILE, unless it is there: three zookeepers, three metadata services, two namenodes, three
datanodes and a gateway, on ports that are free now, with their data beside the file. It is for
looking on when one of them ends; what protects against the loss of a machine is several machines.
Used by scripts/quickstart. The exit status is 1 when the file cannot be written.
"""

import os
import socket
import sys
from typing import Dict, List

from zookeeper.fabric.disk import make_directories, write_file
from zookeeper.fabric.errors import DfsError, StartRefused

COUNTS = {"zookeeper": 3, "metadata": 3, "name_node": 2, "data_node": 3, "web": 1}
"""Prefix of the key that lists them -> how many there are."""

_FIRST_PORT, _LAST_PORT, _STEP = 20000, 32000, 100
"""Below those that systems give to connections: nobody who only dials can have one."""

_SHAPE = """\
# Written by quickstart --ha: everything that may end is there more than once, on one machine.
# With as many machines, each line names several of them; config.ini in the root tells the rest.

[zookeeper]
zookeeper_hosts = {zookeeper}
zookeeper_dir = zookeeper

[metadata]
metadata_hosts = {metadata}
metadata_dir = metadata

[name_node]
name_node_hosts = {name_node}
name_node_dir = name_node

[data_node]
data_node_hosts = {data_node}
{directories}

[web]
web_hosts = {web}

[security]
mode = secret
key_file = cluster.key
"""


def text(first_port: int) -> str:
    """What the file says, with ports from this one on."""
    hosts: Dict[str, str] = {}
    for place, (kind, count) in enumerate(COUNTS.items()):
        ports = _ports(first_port, place, count)
        hosts[kind] = ", ".join(f"localhost:{port}" for port in ports)
        if kind == "data_node":
            hosts["directories"] = "\n".join(
                f"data_node_dir_{port} = data_node_{port}" for port in ports
            )
    return _SHAPE.format(**hosts)


def free_ports() -> int:
    """The first of the ports that `text` may have. Raises StartRefused when all are taken."""
    for first in range(_FIRST_PORT, _LAST_PORT, _STEP):
        ports = [
            port
            for place, count in enumerate(COUNTS.values())
            for port in _ports(first, place, count)
        ]
        if all(map(_is_free, ports)):
            return first
    raise StartRefused(f"from {_FIRST_PORT} to {_LAST_PORT} too many ports are taken: name a "
                       "config.ini of your own by $PYHDFS_CONFIG")


def _ports(first: int, place: int, count: int) -> List[int]:
    return [first + 10 * place + index for index in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main(argv: List[str]) -> int:
    """The exit status."""
    if len(argv) != 1:
        print("usage: highly_available FILE", file=sys.stderr)
        return 2
    path = os.path.abspath(argv[0])
    try:
        if not os.path.exists(path):
            make_directories(os.path.dirname(path))
            write_file(path, text(free_ports()).encode("utf-8"))
            print(f"{path}: made, for a cluster that survives the end of any of its processes")
    except DfsError as error:
        print(f"highly_available: {error.message}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
