"""safemode: whether changes are refused."""

import time
from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.failures import UsageError
from data_service.shell.session import Session

WAIT_SECONDS = 1.0
"""Pause between the questions of `safemode wait`."""


def safemode(session: Session, words: List[str]) -> None:
    """Ask whether changes are refused, and switch that."""
    options = parse(words, least=1, most=1)
    action = options.arguments[0]
    if action not in ("enter", "leave", "get", "wait", "forceExit"):
        raise UsageError(f"Unknown action {action}")
    if action == "wait":
        while session.filesystem.safe_mode("get"):
            time.sleep(WAIT_SECONDS)
        is_on = False
    else:
        is_on = session.filesystem.safe_mode("leave" if action == "forceExit" else action)
    session.out.line(f"Safe mode is {'ON' if is_on else 'OFF'}")
    reason = session.filesystem.cluster_status().safe_mode_reason if action == "get" else ""
    if is_on and reason:
        # HDFS leaves it at the first line; but one lost block keeps it on for ever.
        session.out.line(reason)
