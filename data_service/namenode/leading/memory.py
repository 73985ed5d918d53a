"""Python's collector of garbage, and a namespace of millions of inodes.

What is loaded stays: the collector need not walk through it again and again while it is made, nor
ever after (measured: 7.1 against 5.6 s for 10^6 files). But it does not stay for ever: a term ends,
the next one loads anew, and inodes stand in circles, which only the collector finds.
"""

import gc
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def of_an_image() -> Iterator[None]:
    """What is made within stays until `release`, and the collector passes it by."""
    release()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def release() -> None:
    """Give back what earlier terms left; what was frozen, the collector would never look at."""
    gc.unfreeze()
    gc.collect()
