"""Descriptors 0, 1 and 2: never those of a file or a connection of our own."""

import os

LAST = 2
"""Standard error."""


def occupy() -> None:
    """Let /dev/null stand for each of the three that whoever began this process closed.

    Else the next file that is opened gets its number: a block, a database, a connection. Whatever
    then writes to standard error, as the interpreter itself does at its very end, writes into that
    (so SQLite's "How To Corrupt" tells of databases). Python's `sys.stderr` stays None.
    """
    for number in range(LAST + 1):
        try:
            os.fstat(number)
        except OSError:
            # It is closed, and all below it are open: an open gives the least number that is free.
            os.open(os.devnull, os.O_RDWR)
