"""What is asked of disks that may never answer: in threads of their own, awaited for a while.

Theory of operation. No call of the operating system to a hung disk can be cut short, so it must
run where nobody has to wait for it. A disk thread has at most one call under way: as long as that
does not come back, nobody waits for another, and no second thread gets stuck.
"""

import threading
import time
from typing import Any, Callable, Optional

from zookeeper.fabric import logs
from zookeeper.fabric.errors import Busy, DfsError, InternalError

log = logs.get("disk_threads")


class DiskCall:
    """One call, begun at once in a thread; `what` names its disk to a person."""

    def __init__(self, what: str, action: Callable[[], Any]) -> None:
        self._what = what
        self._action = action
        self._over = threading.Event()
        self._result: Any = None
        self._error: Optional[DfsError] = None
        self.began = time.monotonic()
        threading.Thread(target=self._run, name="disk_call", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether the call has returned."""
        return self._over.is_set()

    def wait(self, seconds: float) -> None:
        """Return when the call has returned, or after so much time."""
        self._over.wait(seconds)

    def result(self, deadline: float) -> Any:
        """What came of it; raises what it raised, or Busy when it is not over at the deadline."""
        if not self._over.wait(max(0.0, deadline - time.monotonic())):
            raise Busy(f"{self._what} does not answer")
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._action()
        except DfsError as error:
            self._error = error
        except Exception as error:
            # A defect, of which whoever waits must hear.
            log.error(
                "disk_call.failed", exc_info=True, disk=self._what, error=type(error).__name__
            )
            self._error = InternalError(f"{self._what}: {type(error).__name__}: {error}")
        finally:
            self._over.set()


class DiskThread:
    """Calls to one disk, one at a time. May be used by any thread."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._call: Optional[DiskCall] = None

    def send(self, action: Callable[[], Any]) -> DiskCall:
        """Begin a call; raises Busy while an earlier one is under way."""
        with self._lock:
            if self._call is not None and not self._call.over:
                raise Busy(f"{self._what} does not answer")
            return self._begin(action)

    def join(self, action: Callable[[], Any], recent_seconds: float = 0.0) -> DiskCall:
        """The call that does `action`: the one under way for somebody else, or a new one; or the
        last one, if it began so recently.

        Who waits so long after its beginning as is due, and not after his own, shares the wait,
        too: of all who ask a disk that hangs only the first ones wait.
        """
        with self._lock:
            last = self._call
            if last is None or last.over and time.monotonic() - last.began >= recent_seconds:
                return self._begin(action)
            return last

    def _begin(self, action: Callable[[], Any]) -> DiskCall:
        try:
            self._call = DiskCall(self._what, action)
        except RuntimeError as error:
            raise Busy(f"no thread to ask {self._what} in: {error}") from None
        return self._call
