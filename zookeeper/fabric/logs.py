"""Logs: one line an event, `time level layer event key=value …`, to standard error.

An event that repeats is rate-limited, so that a flood of bad input cannot fill a disk with log
lines: at most `EVENTS_PER_SECOND` lines of one event a second, then one line that counts the rest.
A daemon in the background writes them to a file that is renewed when it is full.
Secrets and the contents of blocks are never logged.
"""

import json
import logging
import sys
import threading
import time
from typing import Dict, Optional, Tuple

from zookeeper.fabric.log_file import LogFile

EVENTS_PER_SECOND = 20
TRACEBACKS_PER_SECOND = 3  # They are long: of a flood of defects, a few are enough to find it.
FIELD_CHARACTERS_MAX = 300


class EventLog:
    """The logger of one layer; `log.info("block.lost", block=7)` writes one line."""

    def __init__(self, layer: str) -> None:
        self._logger = logging.getLogger("pyhdfs." + layer)
        self._lock = threading.Lock()
        self._windows: Dict[str, Tuple[float, int]] = {}

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
        place, dropped = self._admit(event, time.monotonic())
        if place > EVENTS_PER_SECOND:
            return
        if dropped:
            fields = dict(fields, events_not_logged=dropped)
        exc_info = exc_info and place <= TRACEBACKS_PER_SECOND
        self._logger.log(level, format_event(event, fields), exc_info=exc_info)

    def _admit(self, event: str, now: float) -> Tuple[int, int]:
        """(which line of this second it is, how many the second before had too many)."""
        with self._lock:
            started, count = self._windows.get(event, (now - 1.0, 0))
            if now - started < 1.0:
                self._windows[event] = started, count + 1
                return count + 1, 0
            self._windows[event] = now, 1
            return 1, max(0, count - EVENTS_PER_SECOND)


_logs: Dict[str, EventLog] = {}


def get(layer: str) -> EventLog:
    """The log of a layer, such as `namenode` or `rpc`: one, in however many modules it is."""
    return _logs.setdefault(layer, EventLog(layer))


def format_event(event: str, fields: Dict[str, object]) -> str:
    """`event key=value …`; a value that is not one plain word is quoted, a long one is cut."""
    return " ".join([event] + [f"{key}={_format(value)}" for key, value in fields.items()])


def _format(value: object) -> str:
    text = str(value)
    if len(text) > FIELD_CHARACTERS_MAX:
        text = text[:FIELD_CHARACTERS_MAX] + "…"
    printable = text.isprintable()
    plain = text and printable and not any(mark in text for mark in ' "=\\')
    # What does not print might do worse to a terminal: it is escaped.
    return text if plain else json.dumps(text, ensure_ascii=not printable)


class _FileHandler(logging.StreamHandler):  # type: ignore[type-arg]  # Not before 3.11.
    """Writes to standard error, which is a file that must not grow for ever."""

    def __init__(self, file: LogFile) -> None:
        super().__init__(sys.stderr)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the handler's lock held."""
        self._file.renew()
        super().emit(record)


def configure(level: str = "INFO", file: Optional[LogFile] = None) -> None:
    """Send every layer's events of `level` and above to standard error, once a process.

    With a file, which is standard error then, it is renewed when it is full.
    """
    logger = logging.getLogger("pyhdfs")
    logger.setLevel(level)
    logger.propagate = False
    handler = logging.StreamHandler(sys.stderr) if file is None else _FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.handlers[:] = [handler]
    # A reader that went away (a closed pipe) must not turn every event into a traceback.
    logging.raiseExceptions = False
