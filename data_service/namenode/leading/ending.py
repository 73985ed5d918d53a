"""That a term is over, and by what: set once, and asked by everybody who speaks for it."""

import threading
from typing import Callable, Optional


class Ending:
    """One term's. `told` hears of its cause, once, in whatever thread met it and under whatever
    locks that thread holds: it must neither block nor raise."""

    def __init__(self, told: Callable[[Exception], None]) -> None:
        self._told = told
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.cause: Optional[Exception] = None
        self.is_set = False
        """Whether nothing may be answered from this term any more; asked several times a call."""

    def set(self, cause: Exception) -> None:
        """The term is over by this; what ended it first counts."""
        with self._lock:
            if self.cause is not None:
                return
            self.cause, self.is_set = cause, True
            self._over.set()
        self._told(cause)

    def wait(self, seconds: float) -> bool:
        """Wait for it, at most so long; whether it is set."""
        return self._over.wait(seconds)

    def __repr__(self) -> str:
        return f"<Ending by {self.cause!r}>" if self.is_set else "<Ending, not yet>"
