"""Which place a role has at the zookeeper: a table, and the functions that ask it.

The table of calls says who may call: everybody may know who leads; sessions, and the lists of who
is registered, are for daemons, to campaign is for namenodes. Here stands what depends on the
arguments: each registers and leads in its own place only. A user that led `name_node` would stop
the cluster, and one znode of his with a dead datanode's id would keep that datanode among the
living. In mode `secret` the principal was proved; in mode `simple` it is what the client says, and
the tables still keep the honest from doing by mistake what only a daemon should.
"""

from typing import Dict, NamedTuple, Optional

from zookeeper.fabric.errors import PermissionDenied
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE, Principal


class Rights(NamedTuple):
    """What one role does here: below which path it registers, and which role it may lead."""

    parent_path: str
    leads: Optional[str]


RIGHTS = {
    NAME_NODE: Rights("/name_nodes", NAME_NODE),
    DATA_NODE: Rights("/data_nodes", None),
}


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
    parent = RIGHTS[principal.role].parent_path
    found, _, name = path.rpartition("/")
    if found != parent or (principal.role == DATA_NODE and principal.name not in ("", name)):
        own = f"at {parent}/{principal.name}" if principal.name else f"below {parent}"
        raise PermissionDenied(f"{principal} registers {own}, not at {path[:80]!a}")


def require_candidate(principal: Principal, role: str) -> None:
    """Raises PermissionDenied unless the principal may lead this role."""
    if RIGHTS[principal.role].leads != role:
        raise PermissionDenied(f"{principal} may not lead {role[:80]!a}")
