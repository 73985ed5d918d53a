"""Several parts of one transfer at a time; the first that fails ends them all."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Callable, Sequence


def run_all(tasks: Sequence[Callable[[], None]], parallel: int, stop: threading.Event) -> None:
    """Run every task, in order, up to `parallel` at a time; raises what the first to fail raised.

    Then, and when the caller is interrupted, `stop` is set, which running tasks must heed; tasks
    that have not begun never do. Returns when none runs any more.
    """
    if parallel == 1 or len(tasks) < 2:
        for task in tasks:
            task()
        return
    with ThreadPoolExecutor(min(parallel, len(tasks)), "transfer") as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
