"""How work grows with its size: what a test may say of speed, for it holds on every machine."""

import gc
from time import thread_time
from typing import Callable

LARGER = 10
"""The larger size is so many times the smaller one."""

_ATTEMPTS = 3


def growth(prepare: Callable[[int], Callable[[], object]], size: int) -> float:
    """How many times the work of `size` the work of LARGER × `size` is; about 1 when its size does
    not matter, LARGER when it is proportional, LARGER² when quadratic.

    `prepare` makes a world of a size, and returns the work to be measured, which is done once.
    Only this thread's time on the processor counts, and the best of a few attempts: whatever else
    the machine does is not to be judged.
    """
    return _seconds(prepare, LARGER * size) / _seconds(prepare, size)


def _seconds(prepare: Callable[[int], Callable[[], object]], size: int) -> float:
    spent = []
    for _ in range(_ATTEMPTS):
        work = prepare(size)
        gc.collect()
        begun = thread_time()
        work()
        spent.append(thread_time() - begun)
    return min(spent)
