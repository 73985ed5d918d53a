"""The only waiting that tests do: for a condition, with an end."""

import time
from typing import Callable, TypeVar

Value = TypeVar("Value")

PATIENCE_SECONDS = 60.0
"""How long a condition may take on a slow machine that others use too, before a test fails."""

_PAUSE_SECONDS = 0.02


def wait_until(
    predicate: Callable[[], Value], timeout: float = PATIENCE_SECONDS, what: str = ""
) -> Value:
    """The first true value that `predicate` gives; AssertionError after `timeout` seconds.

    What the predicate raises is raised. `what` says in the failure what was waited for.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            name = what or getattr(predicate, "__name__", repr(predicate))
            raise AssertionError(f"waited {timeout:g} s in vain for: {name}; last value {value!r}")
        time.sleep(_PAUSE_SECONDS)
