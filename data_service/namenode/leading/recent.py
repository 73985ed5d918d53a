"""Which of the recorded edits are recent: found by their times, without reading the older ones."""

import math
from typing import Callable, Iterator, List

from metadata_service.edits import Edit

READ_ANYWAY = 1_000
"""So many edits are not worth a search among them."""

PAGE_EDITS = 5_000

Behind = Callable[[int, int], List[Edit]]
"""The edits behind a txid in their order, at most so many; none at the end."""


def recent(behind: Behind, after: int, last: int, seconds: float) -> Iterator[Edit]:
    """The edits behind `after` which were made so long before the one numbered `last`, or later,
    and some before them, the oldest first. An edit that tells no time is an old one.

    Clocks are set now and then: who needs all of a time asks for a little more, and with a clock
    that was set back some may be missing.
    """
    first = after
    since_ms = -math.inf
    newest = behind(last - 1, 1) if last else []
    if newest:
        since_ms = newest[0].wall_ms - 1000 * seconds
    while since_ms > -math.inf and last - first > READ_ANYWAY:
        middle = (first + last) // 2
        found = behind(middle, 1)
        if found and found[0].wall_ms < since_ms:
            first = middle
        else:
            last = middle
    while True:
        edits = behind(first, PAGE_EDITS)
        if not edits:
            return
        yield from edits
        first = edits[-1].txid
