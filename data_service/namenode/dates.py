"""The time of day."""

import time


def wall_ms() -> int:
    """Milliseconds since 1970, for people to read and to tell old edits from recent ones.

    What may or may not happen never rests on it: clocks are set forth and back.
    """
    return time.time_ns() // 1_000_000
