"""Which role may do what at the zookeeper: a table, and the one function that asks it.

Reading (who is registered, who leads) and a session, which is worth nothing by itself, are for
everybody; sessions are bounded by `place_of`. To be registered and to lead is for the
daemons, each in its own place: a user that led `name_node` would stop the cluster, and one znode
of his with a dead datanode's id would keep that datanode among the living. In mode `secret` the
principal was proved to hold the cluster's key; in mode `simple` it is what the client says, and
the table still keeps the honest from doing by mistake what only a daemon should.
"""

from typing import NamedTuple, Optional

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


def place_of(principal: Principal, host: str) -> str:
    """Whose sessions are counted together: of a host those of each kind of daemon, and the rest.

    A user may call himself as he likes, so his name must not open another account.
    """
    return f"{host} {principal.role if principal.role in RIGHTS else 'others'}"


def require_rights(principal: Principal) -> Rights:
    """What this principal may do; raises PermissionDenied when it is no daemon's."""
    rights = RIGHTS.get(principal.role)
    if rights is None:
        raise PermissionDenied(f"{principal} may neither register nor lead: that is for daemons")
    return rights


def require_parent(principal: Principal, path: str) -> None:
    """Raises PermissionDenied unless the principal registers directly below this path's parent."""
    parent = require_rights(principal).parent_path
    if path.rpartition("/")[0] != parent:
        raise PermissionDenied(f"{principal} registers below {parent}, not at {path[:80]!a}")


def require_candidate(principal: Principal, role: str) -> None:
    """Raises PermissionDenied unless the principal may lead this role."""
    if require_rights(principal).leads != role:
        raise PermissionDenied(f"{principal} may not lead {role[:80]!a}")
