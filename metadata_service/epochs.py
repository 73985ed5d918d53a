"""Epochs of namenodes: which numbers can be one, and how far one may lie above another.

Each term of a namenode has an epoch of its own, which the metadata services promise. When their
record is restored from a backup, they have forgotten the newest ones; the datanodes have not, and
refuse a namenode of an earlier epoch. So it must leap above theirs. Who leaps on somebody's word
alone could be led to the end of all numbers by a single lie: therefore no leap is longer than any
backup is old, and what is longer is not believed.
"""

from typing import Any

from zookeeper.fabric.errors import ProtocolViolation

EPOCH_MAX = (1 << 53) - 1

LEAP_MAX = 1 << 20
"""The longest believable leap: two terms a minute for a year."""

MARGIN = 1000
"""How far above a reported epoch the next one is claimed: other datanodes may know of still later
ones, of terms that this one missed."""


def is_believable(epoch: int, known: int) -> bool:
    """Whether a namenode can have come from epoch `known` to `epoch`; 0 knows of none."""
    return 0 < epoch <= EPOCH_MAX and (known == 0 or epoch <= known + LEAP_MAX)


def check_told(epoch: Any, known: int) -> None:
    """Raise ProtocolViolation unless a namenode may say that this is its epoch, to somebody who
    obeyed `known` before. An earlier epoch is no malformed one."""
    if type(epoch) is not int or not is_believable(epoch, known):
        shown = epoch if type(epoch) is int and abs(epoch) < 1 << 64 else type(epoch).__name__
        raise ProtocolViolation(
            f"{shown} cannot be a namenode's epoch ({known} is known): is another process "
            "answering at its address?"
        )
