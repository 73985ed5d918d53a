"""What a datanode is good for: three questions, by what was decided about it and what is seen.

*Liveness* is what the namenode sees: a node is live, stale or dead. Its *service state* is what an
administrator has decided about it: to take it out of the cluster for good (decommission) or for a
while (maintenance). A node leaves in two steps, so that nothing is lost by it: first its blocks are
copied elsewhere, then it may be stopped. As in HDFS:

- one that is being decommissioned takes no new replicas. It is read from, and copied from, but
  what it holds is to be replaced: it does not count towards the target of a block. Afterwards
  the same holds until somebody stops it, but nobody copies from it who can help it.
- one that enters maintenance is used in the same way, but of its blocks only so much is replaced
  that each can be read elsewhere. In maintenance it is not read from either, and when it dies its
  replicas are not given up: it is expected back with all that it has.
"""

from typing import NamedTuple

from data_service.protocol.health import DEAD, LIVE, STALE

IN_SERVICE = "In Service"
DECOMMISSIONING = "Decommission In Progress"
DECOMMISSIONED = "Decommissioned"
ENTERING_MAINTENANCE = "Entering Maintenance"
IN_MAINTENANCE = "In Maintenance"
"""Service states, in HDFS's words."""

DRAINING = (DECOMMISSIONING, ENTERING_MAINTENANCE)
"""On their way out: what they hold is being copied."""

MAINTENANCE = (ENTERING_MAINTENANCE, IN_MAINTENANCE)
"""Gone for a while only, so their replicas lower what is wanted of the other nodes."""


class Standing(NamedTuple):
    """The three answers.

    `may_take_replicas`: new replicas may be placed there. `replicas_count`: its replicas may
    justify removing others. `may_be_read`: readers are sent there, and copies are made from it.
    """

    may_take_replicas: bool
    replicas_count: bool
    may_be_read: bool


_READ_ONLY = Standing(False, False, True)
_NOTHING = Standing(False, False, False)

STANDINGS = {
    IN_SERVICE: {LIVE: Standing(True, True, True), STALE: _READ_ONLY, DEAD: _NOTHING},
    DECOMMISSIONING: {LIVE: _READ_ONLY, STALE: _READ_ONLY, DEAD: _NOTHING},
    DECOMMISSIONED: {LIVE: _READ_ONLY, STALE: _READ_ONLY, DEAD: _NOTHING},
    ENTERING_MAINTENANCE: {LIVE: _READ_ONLY, STALE: _READ_ONLY, DEAD: _NOTHING},
    IN_MAINTENANCE: {LIVE: _NOTHING, STALE: _NOTHING, DEAD: _NOTHING},
}
"""By service state and liveness."""
