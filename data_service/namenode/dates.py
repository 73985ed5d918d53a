"""The time of day."""

import time
from functools import lru_cache


def wall_ms() -> int:
    """Milliseconds since 1970, for people to read and to tell old edits from recent ones.

    What may or may not happen never rests on it: clocks are set forth and back.
    """
    return time.time_ns() // 1_000_000


def stamp() -> str:
    """Now, to the millisecond, at the beginning of a line of a log."""
    seconds, ms = divmod(wall_ms(), 1000)
    return f"{_second(seconds)},{ms:03}"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
