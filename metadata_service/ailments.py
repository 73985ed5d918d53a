"""What is wrong with a metadata service, and what a person can do about it: one judgement, which
the commands and the web page tell alike."""

from typing import NamedTuple, Optional, Tuple

from metadata_service.quorum import BLANK, DAMAGED, DISPUTED, FULL, STRANGER
from zookeeper.fabric.kinds import Text

AWAY, SILENT, OLD, FOREIGN, LAGS, REFUSES = (
    "away", "silent", "old copy", "of another record", "lags", "refuses"
)  # fmt: skip
"""What else than its own states may ail a member: it cannot be reached; it has been asked and does
not answer; its disk went back in time; its log is another one; it lacks edits; it fails."""

EDITS_MAX = 1000
"""Who lacks no more than that has them in the next message: he does not lag."""

SILENT_SECONDS = 1.0
"""Who answers sooner is only slow."""


class Ailment(NamedTuple):
    """What is wrong with the member at an address: a word, a sentence's rest behind its name, and
    another sentence about what to do."""

    address: Text
    word: Text
    words: Text
    advice: Text


class Seen(NamedTuple):
    """How a member was seen. `state` is its own word, empty when it cannot be reached.

    `reason` says why it does not count, and is empty when it does. It lacks `lag` edits, and has
    been silent for so long. `old`, `foreign`: its disk went back in time; its log is another one.
    `waits_for` is why members stay as they are although config.ini would have it otherwise.
    """

    address: str
    state: str
    reason: str = ""
    lag: int = 0
    room: bool = True
    silent_seconds: float = 0.0
    old: bool = False
    foreign: bool = False
    waits_for: str = ""


def ailment_of(seen: Seen) -> Optional[Ailment]:
    """What is wrong with a member, the cause before what follows from it; None: nothing is."""
    word, words, advice = _judged(seen)
    return Ailment(seen.address, word, words, advice) if word else None


def _judged(seen: Seen) -> Tuple[str, str, str]:
    why = f": {seen.reason}" if seen.reason else ""
    if not seen.state:
        return AWAY, f"does not take part{why}", (
            "Start it, or see in its log why it does not answer; it learns from the others what it "
            "missed.")
    if seen.foreign:
        return FOREIGN, f"keeps another record, and does not count{why}", (
            "If the cluster's record was restored from a backup, this one is of before: stop all "
            "that this is said of, move their directories away, and start them again: they fill "
            "themselves.")
    if seen.old:
        return OLD, "does not count: its disk is an old copy", (
            "It is filled anew by itself; if that takes long, see its log.")
    if seen.state == DAMAGED:
        return DAMAGED, "is damaged, and does not count", (
            "It fetches a new image from another one by itself; if it is damaged again, replace "
            "its disk.")
    if seen.state == DISPUTED:
        return DISPUTED, "differs from another one in what both have applied", (
            "Start those that are away: the one that most of them contradict takes the record of "
            "the others. If all are there, see in its log who differs.")
    if seen.state in (BLANK, STRANGER):
        waits = f" Now it waits: {seen.waits_for}." if seen.waits_for else ""
        return seen.state, "has a new directory, and does not count yet", (
            f"It is filled, and taken in, by itself; if that takes long, see its log.{waits}")
    if seen.state == FULL or not seen.room:
        return FULL, "has no room left on its disk", "Make room there; the others go on."
    return _judged_by_progress(seen, why)


def _judged_by_progress(seen: Seen, why: str) -> Tuple[str, str, str]:
    if seen.lag > EDITS_MAX:
        return LAGS, f"lacks {seen.lag:,} edits{why}", (
            "It fetches them by itself; if they do not become fewer, its disk or its network is "
            "slow, or its log tells more.")
    if seen.silent_seconds > SILENT_SECONDS:
        return SILENT, f"has not answered for {seen.silent_seconds:.0f} s", (
            "It may be stopped, or its disk hang: see its log.")
    if seen.reason:
        return REFUSES, f"does not take part{why}", "If that lasts, see its log."
    return "", "", ""
