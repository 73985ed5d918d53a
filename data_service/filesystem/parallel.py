"""Several parts of one transfer at a time; the first that fails ends them all.

The threads are our own. Those of concurrent.futures take no more work once the main thread has
ended, and a program's other threads may well go on writing then (boto3 issue 3113).
"""

import threading
from typing import Callable, List, Optional, Sequence

from zookeeper.fabric import logs

log = logs.get("parallel")


class Task:
    """A deed in a thread of its own; where no thread can be had, it is done at once instead."""

    def __init__(self, deed: Callable[[], None], name: str) -> None:
        self._deed = deed
        self._failure: Optional[BaseException] = None
        self._ended = threading.Event()
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The system has no more threads: slower, but it goes on.
            self._run()

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._ended.is_set()

    def wait(self) -> None:
        """Return when it has ended."""
        self._ended.wait()

    def result(self) -> None:
        """Wait for its end; raises what it raised."""
        self.wait()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._deed()
        except BaseException as error:
            # It is raised in the thread that waits for the result.
            log.debug("task.failed", error=error)
            self._failure = error
        finally:
            self._ended.set()


def run_all(tasks: Sequence[Callable[[], None]], parallel: int, stop: threading.Event) -> None:
    """Run every task, in order, up to `parallel` at a time; raises what the first to fail raised.

    Then, and when the caller is interrupted, `stop` is set, which running tasks must heed; tasks
    that have not begun never do. Returns when none runs any more.
    """
    if parallel == 1 or len(tasks) < 2:
        for task in tasks:
            task()
        return
    work, lock = iter(tasks), threading.Lock()
    failures: List[BaseException] = []

    def run() -> None:
        while not stop.is_set():
            with lock:
                task = next(work, None)
            if task is None:
                return
            try:
                task()
            except BaseException as error:
                failures.append(error)
                stop.set()
                raise

    helpers = [
        Task(run, f"transfer-{number}") for number in range(1, min(parallel, len(tasks)))
    ]
    try:
        run()
        _await(helpers)
    except BaseException as error:
        # Also Ctrl+C between two tasks, or while the last of them run in other threads: what they
        # write into is closed as soon as this returns.
        failures.append(error)
        stop.set()
        raise
    finally:
        _await(helpers)
        if failures:
            raise failures[0]


def _await(helpers: Sequence[Task]) -> None:
    for helper in helpers:
        helper.wait()
