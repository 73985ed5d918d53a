"""The list of principals whose keys are void: of all times, or those issued before a moment.

    # who, and perhaps the moment
    user:mallory
    user:alice 2026-11-27T18:00:00Z
"""

import math
from typing import Dict, Mapping, Tuple

from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.identity import ROLES, Principal
from zookeeper.fabric.key_file import open_regular
from zookeeper.fabric.moments import parse_moment

FILE_BYTES_MAX = 1 << 20


def read(path: str) -> Mapping[str, float]:
    """Principal -> seconds since 1970 before which his keys are void. Raises SettingsError: what
    nobody understands would revoke nothing, unseen."""
    try:
        with open_regular(path) as file:
            data = file.read(FILE_BYTES_MAX + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot read this list: {error}") from None
    if len(data) > FILE_BYTES_MAX:
        raise SettingsError(f"{path}: found more than {FILE_BYTES_MAX} bytes")
    revoked: Dict[str, float] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            try:
                principal, before = _row(*words)
            except (TypeError, ValueError):
                raise SettingsError(
                    f"{path}:{number}: found {line.strip()[:80]!a}, expected a principal, such as "
                    "user:alice, and perhaps a moment, such as 2026-11-27T18:00:00Z"
                ) from None
            revoked[principal] = max(before, revoked.get(principal, 0.0))
    return revoked


def _row(principal: str, moment: str = "") -> Tuple[str, float]:
    if Principal.parse(principal).role not in ROLES:
        raise ValueError
    if not moment:
        return principal, math.inf
    return principal, parse_moment(moment)
