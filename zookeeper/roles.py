"""Which place a role has at the zookeeper: a table, and the functions that ask it.

The table of calls says who may call: everybody may know who leads; sessions, and the lists of who
is registered, are for daemons. Here stands what depends on the arguments: each registers in its own
places only. One znode of a user with a dead datanode's id would keep that datanode among the
living. In mode `secret` the principal was proved; in mode `simple` it is what the client says, and
the tables still keep the honest from doing by mistake what only a daemon should.
"""

from typing import Dict

from zookeeper.fabric.errors import PermissionDenied
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE, Principal


LEADER = "/leader"
"""Below it who leads is registered, by address, with the epoch as the data."""

PARENTS = {
    NAME_NODE: ("/name_nodes", LEADER),
    DATA_NODE: ("/data_nodes",),
}
"""Below which paths each role registers."""

SESSIONS_PER_HOST_MAX = 500
"""Sessions of one kind of daemon on one host: nobody can take the places of all others."""

SESSIONS_PER_NAME_MAX = 16
"""Sessions of one daemon: it has one, and those of earlier lives run down."""


def places_of(principal: Principal, host: str) -> Dict[str, int]:
    """With whom a daemon's sessions are counted together, and how many these may be: those of its
    kind on its host, and those of its own name, if it has one."""
    places = {f"{host} {principal.role}": SESSIONS_PER_HOST_MAX}
    if principal.name:
        places[str(principal)] = SESSIONS_PER_NAME_MAX
    return places


def require_parent(principal: Principal, path: str) -> None:
    """Raises PermissionDenied unless the principal registers directly below this path's parent: a
    datanode that has a name, which is its address, by that name only."""
    parents = PARENTS[principal.role]
    found, _, name = path.rpartition("/")
    if found not in parents or (principal.role == DATA_NODE and principal.name not in ("", name)):
        own = f"at {parents[0]}/{principal.name}" if principal.name else f"below {parents[0]}"
        raise PermissionDenied(f"{principal} registers {own}, not at {path[:80]!a}")
