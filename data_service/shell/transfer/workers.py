"""Several deeds at a time, which all end when the command is interrupted or one of them fails.

They are daemon threads: one that waits for a pipe which nobody writes must not keep the process.
"""

import queue
import threading
from contextlib import suppress
from typing import Callable, List, Optional

from zookeeper.fabric import logs

log = logs.get("shell")

QUEUE_MAX = 1024
"""Deeds that wait for a thread, as in HDFS; who brings more of them waits."""

STOP_SECONDS = 5.0
"""How long running deeds have to notice that they are not wanted any more."""

Deed = Callable[[], object]


class Workers:
    """Threads for `do`. In a `with`, which waits for all deeds, or stops them after an error."""

    def __init__(self, count: int) -> None:
        self._deeds: "queue.Queue[Optional[Deed]]" = queue.Queue(QUEUE_MAX)
        self._stopped = threading.Event()
        self._failures: List[BaseException] = []
        self._threads = [
            threading.Thread(target=self._work, name=f"copy_{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: Optional[type], *_rest: object) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._end()

    def do(self, deed: Deed) -> None:
        """Have a deed done; raises what an earlier one failed with."""
        self._raise_failure()
        self._deeds.put(deed)

    def wait(self) -> None:
        """Return when all is done; raises what the first deed to fail failed with."""
        self._deeds.join()
        self._raise_failure()

    def heed(self, _done: int = 0, _total: int = 0) -> None:
        """Called by a running deed now and then: raises KeyboardInterrupt when it must stop."""
        if self._stopped.is_set():
            raise KeyboardInterrupt

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _work(self) -> None:
        for deed in iter(self._deeds.get, None):
            try:
                if not self._stopped.is_set():
                    deed()
            except BaseException as error:
                # It is raised again where the deeds come from; here it would be told to nobody.
                log.debug("deed.failed", error=type(error).__name__)
                self._failures.append(error)
                self._stopped.set()
            finally:
                self._deeds.task_done()

    def _end(self) -> None:
        self._stopped.set()
        # Nothing of it is done any more; and there must be room, though no thread takes anything.
        while not self._deeds.empty():
            with suppress(queue.Empty):
                self._deeds.get_nowait()
        for _ in self._threads:
            self._deeds.put(None)
        for thread in self._threads:
            thread.join(STOP_SECONDS)
