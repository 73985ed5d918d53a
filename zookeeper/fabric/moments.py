"""The time of day, for keys and tokens: what one machine makes another checks, later.

Nothing else may rest on it, for clocks are set forth and back.
"""

import time

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def now() -> float:
    """Seconds since 1970."""
    return time.time()


def shown(moment: float) -> str:
    """A moment as people write it, to the second."""
    return time.strftime(_FORMAT, time.gmtime(moment))


def parse_moment(text: str) -> float:
    """The reverse of `shown`; raises ValueError."""
    import calendar  # And with it datetime and locale, which no client waits for.

    return float(calendar.timegm(time.strptime(text, _FORMAT)))
