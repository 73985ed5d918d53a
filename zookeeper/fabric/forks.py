"""What a forked process has of its parent, and must not use.

Theory of operation. A fork copies everything but the other threads: sockets, on which two processes
would then talk at a time; ids that are to be one client's; locks that a thread held which the child
does not have. Whoever has such a thing says so once (`watch`), and is told in each child, before
anything else runs there. (multiprocessing forks on Linux up to Python 3.13 unless told otherwise.)
"""

import os
import weakref


class Forkable:
    """What has to change in a forked process. A subclass calls `watch` when it is made."""

    def forked(self) -> None:
        """In the child: let go of what is the parent's, without a word to anybody else."""
        raise NotImplementedError


_watched: "weakref.WeakSet[Forkable]" = weakref.WeakSet()


def watch(thing: Forkable) -> None:
    """Have `thing.forked()` called in every process that is forked while it exists."""
    _watched.add(thing)


def _tell() -> None:
    for thing in list(_watched):
        thing.forked()


os.register_at_fork(after_in_child=_tell)
