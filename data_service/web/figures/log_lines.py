"""The JSON of `/cluster/log`: what this gateway logged last. For administrators: a log names users
and paths.

    {"lines": [{"time_ms": 1764265200000, "level": "INFO", "layer": "gateway",
                "text": "event key=value …"}, …]}            the oldest first
"""

import logging
from collections import deque
from typing import Any, Deque, Dict

LINES_MAX = 500
TEXT_CHARACTERS_MAX = 2000


class LogLines(logging.Handler):
    """Keeps the last lines of all layers, from `begin` to `end`."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Deque[Dict[str, Any]] = deque(maxlen=LINES_MAX)

    def begin(self) -> None:
        """Listen."""
        logging.getLogger("pyhdfs").addHandler(self)

    def end(self) -> None:
        """Listen no more."""
        logging.getLogger("pyhdfs").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the handler's lock held."""
        self._lines.append({
            "time_ms": int(1000 * record.created),
            "level": record.levelname,
            "layer": record.name.partition(".")[2],
            "text": record.getMessage()[:TEXT_CHARACTERS_MAX],
        })

    def record(self) -> Dict[str, Any]:
        """The JSON value; see above."""
        return {"lines": list(self._lines)}
