"""Who somebody is in this cluster: a role, and a name among those who have that role.

In text, as it crosses the wire and stands in logs, that is `user:alice`, `data_node:10.0.0.2:1801`,
or the role alone. Only this module takes such a text apart.
"""

from typing import NamedTuple

from zookeeper.fabric.errors import InvalidArgument

USER = "user"
NAME_NODE = "name_node"
DATA_NODE = "data_node"
METADATA = "metadata"
GATEWAY = "gateway"
ZOOKEEPER = "zookeeper"
ROLES = (USER, NAME_NODE, DATA_NODE, METADATA, ZOOKEEPER, GATEWAY)


NAME_BYTES_MAX = 100
"""So that who has the name, and a key, can introduce himself by it."""

_APART = "#:/"
"""What ends a name where it stands in a list of the revoked, a principal, or a home's path."""


def check_plain_name(name: str) -> None:
    """Raise InvalidArgument for the name of a user or a gateway that could not be revoked, or told
    from that of a role, or from what stands beside it in a line."""
    plain = name.isprintable() and not any(c.isspace() or c in _APART for c in name)
    size = len(name.encode("utf-8", "replace"))
    if not plain or not 0 < size <= NAME_BYTES_MAX or name in (*ROLES, ".", ".."):
        raise InvalidArgument(
            f"found the name {name[:NAME_BYTES_MAX]!a}, expected 1 to {NAME_BYTES_MAX} bytes of "
            f"printable text without spaces and {' '.join(_APART)}, which is not that of a role")


class Principal(NamedTuple):
    """Who is at one end of a connection: proved in mode `secret`, else what he says of himself."""

    role: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> "Principal":
        """The principal that calls itself so. The role ends at the first colon."""
        role, _, name = text.partition(":")
        return cls(role, name)

    def __str__(self) -> str:
        return f"{self.role}:{self.name}" if self.name else self.role

    @property
    def user(self) -> str:
        """As which user he owns files: a daemon, whatever its name, by that of its role."""
        return self.name if self.role == USER and self.name else self.role


def server_at(role: str, address: object) -> Principal:
    """The server of this role at an address. Datanodes are told apart: each has its own blocks."""
    return Principal(role, str(address) if role == DATA_NODE else "")


ANONYMOUS = Principal("anonymous")
"""A stock RPyC client, which says nothing of itself; let in only in mode `simple`."""

PEOPLE = (USER, GATEWAY, ANONYMOUS.role)
"""Who has files. A daemon needs none, so that its key opens nobody's names to who stole it."""


def certified(role: str) -> str:
    """The name by which a certificate says that its owner may be of this role."""
    return f"{role}.pyhdfs"
