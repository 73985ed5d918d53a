"""Which cluster a URI means: the one of config.ini, or another, where nothing may be done.

A command that took a path of another cluster for a path of this one would delete the wrong file
and say that it deleted the right one. So every authority is compared with `name_node_hosts`, and
what cannot be shown to be the same is refused.
"""

from typing import Callable, Optional, Sequence

from data_service.shell.arguments.paths import Typed
from data_service.shell.failures import UsageError
from zookeeper.fabric.config_file import Address, parse_address
from zookeeper.fabric.errors import SettingsError

SCHEMES = ("hdfs", "pyhdfs")

THIS_MACHINE = ("", "localhost")
"""What may stand in the authority of a `file:` URI (RFC 8089)."""

Resolve = Callable[[str], Optional[str]]


def check_authority(typed: Typed, hosts: Sequence[Address], resolve: Resolve) -> None:
    """Raise UsageError unless a URI of the cluster means the one whose namenodes are `hosts`.

    `resolve` gives the numeric address of a host that is of this machine, None for any other: by
    it `localhost` and 127.0.0.1 are the same.
    """
    if typed.authority is None or typed.scheme not in SCHEMES:
        return
    address = _address(typed.authority)
    if address is None or not any(_is_same(address, host, resolve) for host in hosts):
        known = ", ".join(f"{typed.scheme}://{host}" for host in hosts)
        raise UsageError(
            f"{typed.text}: {typed.authority} is no namenode of this cluster; nothing was done. "
            f"name_node_hosts in config.ini has {known}. Another cluster is reached by --config "
            "and its config.ini"
        )


def check_machine(typed: Typed) -> None:
    """Raise UsageError for a `file:` URI of another machine: files there cannot be had."""
    if typed.scheme == "file" and (typed.authority or "").lower() not in THIS_MACHINE:
        raise UsageError(f"Wrong FS: {typed.text}, expected: file:///")


def default_uri(text: str) -> str:
    """What `-fs` names, as a URI; also in HDFS's short forms `local` and `host:port`."""
    if text == "local":
        return "file:///"
    return text if "/" in text or not text else f"hdfs://{text}"


def _address(authority: str) -> Optional[Address]:
    if ":" not in authority.rpartition("]")[2]:
        # As in HDFS that is the default port, not the one of whoever is on that host.
        from zookeeper.fabric.settings import NameNodeSettings

        authority += f":{NameNodeSettings().hosts[0].port}"
    try:
        return parse_address(authority)
    except SettingsError:
        return None


def _is_same(one: Address, other: Address, resolve: Resolve) -> bool:
    if one.port != other.port:
        return False
    if one.host.rstrip(".") == other.host.rstrip("."):
        return True
    number = resolve(one.host)
    return number is not None and number == resolve(other.host)
