"""What a zookeeper answers, looked at before it is believed.

One that is broken, or another program at its address, must not end a thread of a daemon, nor be
remembered: whatever is odd here is a ProtocolViolation, and the caller asks again later.
"""

import math
from typing import Any, Dict, Tuple

from zookeeper.election import Leadership
from zookeeper.fabric.errors import ProtocolViolation

EPOCH_MAX = 2**63 - 1


def rows_of(answer: object) -> Dict[str, str]:
    """((path, data), …) as a dictionary; raises ProtocolViolation."""
    if type(answer) is not tuple or not all(_is_of(row, str, str) for row in answer):
        raise ProtocolViolation("the zookeeper sent an odd list of znodes")
    return dict(answer)


def children_of(answer: Any) -> Tuple[int, Dict[str, str]]:
    """(version, path -> data); raises ProtocolViolation."""
    if not _is_of(answer, int, tuple):
        raise ProtocolViolation("the zookeeper answered a watch with something odd")
    version, rows = answer
    return version, rows_of(rows)


def opened(answer: Any) -> Tuple[str, float]:
    """(session id, expiry in seconds) of a new session; raises ProtocolViolation."""
    if _is_of(answer, str, float) or _is_of(answer, str, int):
        session_id, expiry = answer
        if session_id and 0 < expiry < math.inf:
            return str(session_id), float(expiry)
    raise ProtocolViolation("the zookeeper opened a session with something odd")


def leadership_of(answer: object) -> Leadership:
    """How a role stands; raises ProtocolViolation."""
    if _is_of(answer, bool, int, str):
        leadership = Leadership._make(answer)  # type: ignore[arg-type]
        if 0 <= leadership.epoch <= EPOCH_MAX:
            return leadership
    raise ProtocolViolation("the zookeeper answered a campaign with something odd")


def _is_of(answer: object, *kinds: type) -> bool:
    return type(answer) is tuple and tuple(map(type, answer)) == kinds
