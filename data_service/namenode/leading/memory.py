"""Python's collector of garbage, and a namespace of millions of inodes.

To look through all of it once takes the collector a third of a second for a million files, in which
nobody is answered. So while a namenode leads, it looks at what is new, a few milliseconds' worth,
and never at what has stayed. Whatever is in no circle goes without it, and nothing that comes and
goes with a call or a connection is in one (`tests/unit/test_leading.py`).

But nothing stays for ever: a term ends, the next one loads anew, and inodes stand in circles, which
only the collector finds.
"""

import gc
from contextlib import contextmanager
from typing import Iterator

_USUAL = gc.get_threshold()
_NEVER = 2**31 - 1
"""So many collections of what is new come before one of everything."""


@contextmanager
def of_an_image() -> Iterator[None]:
    """What is made within stays until `release`, and the collector passes it by; what stays of
    that which is made later, too."""
    release()
    gc.disable()
    try:
        yield
    finally:
        # New it is not any more, though the collector has never seen it.
        gc.freeze()
        gc.set_threshold(*_USUAL[:2], _NEVER)
        gc.enable()


def release() -> None:
    """Give back what earlier terms left; what was frozen, the collector would never look at."""
    gc.set_threshold(*_USUAL)
    gc.unfreeze()
    gc.collect()
