"""Two processes claim to be one datanode, or to be served at one address.

Mostly the other one has just ended, and its successor is quick: so who comes is asked to wait, for
a few heartbeats. When the other beats meanwhile, both are alive: somebody copied a disk, or a
start script. Then who came later is refused, and is told why; else the two would end each
other's sessions for ever, and report all that they have every time.
"""

from typing import Dict, NamedTuple, Optional

from data_service.protocol.nodes import NodeInfo
from zookeeper.fabric.errors import Busy, StartRefused

_CLAIMS_MAX = 1000


class Rival(NamedTuple):
    """Who has what is claimed, and when it last beat."""

    info: NodeInfo
    last_heartbeat: float


class Claims:
    """Who claims what a living process has, and since when."""

    def __init__(self) -> None:
        self._since: Dict[NodeInfo, float] = {}

    def settle(self, info: NodeInfo, rival: Optional[Rival], now: float) -> None:
        """Let the claim pass when there is no rival. Raises Busy while the rival may have ended,
        StartRefused when it has not."""
        if rival is None:
            self._since.pop(info, None)
            return
        first = self._since.setdefault(info, now)
        if len(self._since) > _CLAIMS_MAX:
            del self._since[next(iter(self._since))]
        other = rival.info
        claim = (f"datanode {other.node_id} is alive at {other.host}:{other.port}; "
                 f"datanode {info.node_id} cannot be served at {info.host}:{info.port}, too")
        if rival.last_heartbeat > first:
            raise StartRefused(f"{claim}: is it a copy of its disk, or of its start script?")
        raise Busy(f"{claim}, unless that process has just ended")

    def __repr__(self) -> str:
        return f"<Claims {len(self._since)}>"
