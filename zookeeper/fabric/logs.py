"""Logs: one line an event, `time level layer event key=value …`, to standard error.

An event that repeats is rate-limited, so that a flood of bad input cannot fill a disk with log
lines: at most `EVENTS_PER_SECOND` lines of one event a second, then one line that counts the rest.
Secrets and the contents of blocks are never logged.
"""

import json
import logging
import sys
import threading
import time
from typing import Dict, List, Optional

EVENTS_PER_SECOND = 20
FIELD_CHARACTERS_MAX = 300


class EventLog:
    """The logger of one layer; `log.info("block.lost", block=7)` writes one line."""

    def __init__(self, layer: str) -> None:
        self._logger = logging.getLogger("pyhdfs." + layer)
        self._lock = threading.Lock()
        self._windows: Dict[str, List[float]] = {}

    def debug(self, event: str, **fields: object) -> None:
        """A detail for somebody who traces one operation."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Something that happens in normal life."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something that the cluster repairs or refuses by itself."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, exc_info: bool = False, **fields: object) -> None:
        """Something that a person should look at; `exc_info` adds the traceback."""
        self._write(logging.ERROR, event, fields, exc_info)

    def _write(
        self, level: int, event: str, fields: Dict[str, object], exc_info: bool = False
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        dropped = self._admit(event, time.monotonic())
        if dropped is None:
            return
        if dropped:
            fields = dict(fields, events_not_logged=dropped)
        self._logger.log(level, format_event(event, fields), exc_info=exc_info)

    def _admit(self, event: str, now: float) -> Optional[int]:
        """None to drop the line, else how many lines of this event were dropped before it."""
        with self._lock:
            window = self._windows.setdefault(event, [now, 0, 0])
            if now - window[0] >= 1.0:
                dropped = int(window[2])
                window[:] = [now, 1, 0]
                return dropped
            if window[1] >= EVENTS_PER_SECOND:
                window[2] += 1
                return None
            window[1] += 1
            return 0


def get(layer: str) -> EventLog:
    """The log of a layer, such as `namenode` or `rpc`."""
    return EventLog(layer)


def format_event(event: str, fields: Dict[str, object]) -> str:
    """`event key=value …`; a value that is not one plain word is quoted, a long one is cut."""
    return " ".join([event] + [f"{key}={_format(value)}" for key, value in fields.items()])


def _format(value: object) -> str:
    text = str(value)
    if len(text) > FIELD_CHARACTERS_MAX:
        text = text[:FIELD_CHARACTERS_MAX] + "…"
    plain = text and text.isprintable() and not any(mark in text for mark in ' "=\\')
    return text if plain else json.dumps(text, ensure_ascii=False)


def configure(level: str = "INFO") -> None:
    """Send every layer's events of `level` and above to standard error, once a process."""
    logger = logging.getLogger("pyhdfs")
    logger.setLevel(level)
    logger.propagate = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.handlers[:] = [handler]
    # A reader that went away (a closed pipe) must not turn every event into a traceback.
    logging.raiseExceptions = False
