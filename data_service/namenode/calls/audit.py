"""The audit log: one line for each call about a path, in HDFS's form.

`allowed=true ugi=alice ip=/10.0.0.7 cmd=rename src=/a dst=/b`: what is a command's source and what
its destination comes from the description of the call. A call that failed for another reason than
who asked is no line: nothing was done, and nobody was kept from anything.
"""

import json
import logging
from logging.handlers import RotatingFileHandler
from typing import Any, Optional, Sequence

from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import StartRefused

FILE_BYTES = 64 << 20
OLDER_FILES = 5

_SOURCES = ("path", "source")
_TARGETS = ("destination", "sources")


def audit_line(call: Call, values: Sequence[Any], user: str, host: str, allowed: bool) -> str:
    """The line of a call with these arguments; empty when it is about no path."""
    given = {parameter.name: value for parameter, value in zip(call.parameters, values)}
    found = [given[name] for name in _SOURCES if name in given]
    if not found:
        return ""
    words = [
        f"allowed={'true' if allowed else 'false'}",
        f"ugi={_shown(user)}",
        f"ip=/{host}",
        f"cmd={call.name}",
        f"src={_shown(found[0])}",
    ]
    words += [f"dst={_shown(given[name])}" for name in _TARGETS if name in given]
    return " ".join(words)


def _shown(value: Any) -> str:
    """A value as one word of one line: no name can end it and begin another."""
    text = value if type(value) is str else json.dumps(value)
    plain = text.isprintable() and not any(mark in text for mark in ' "=\\')
    return text if plain else json.dumps(text)


class AuditLog:
    """The file at `path`, which is put aside when it is full; thread-safe."""

    def __init__(self, path: str) -> None:
        """Begin, or go on with, the file. Raises StartRefused."""
        try:
            self._handler = RotatingFileHandler(
                path, maxBytes=FILE_BYTES, backupCount=OLDER_FILES, encoding="utf-8"
            )
        except OSError as error:
            raise StartRefused(f"cannot write the audit log {path}: {error.strerror}") from None
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    @classmethod
    def at(cls, path: str) -> "Optional[AuditLog]":
        """That of the settings, where nothing means none."""
        return cls(path) if path else None

    def note(
        self, call: Call, values: Sequence[Any], user: str, host: str, allowed: bool
    ) -> None:
        """Write what one call did, or was not allowed to do."""
        line = audit_line(call, values, user, host, allowed)
        if line:
            self._handler.handle(logging.makeLogRecord({"msg": line, "levelno": logging.INFO}))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
