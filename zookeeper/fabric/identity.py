"""Who somebody is in this cluster: a role, and a name among those who have that role.

In text, as it crosses the wire and stands in logs, that is `user:alice`, `data_node:1801`, or the
role alone. Only this module takes such a text apart.
"""

from typing import NamedTuple

USER = "user"
NAME_NODE = "name_node"
DATA_NODE = "data_node"
METADATA = "metadata"
ZOOKEEPER = "zookeeper"


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


ANONYMOUS = Principal("anonymous")
"""A stock RPyC client, which says nothing of itself; let in only in mode `simple`."""
