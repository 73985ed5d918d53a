"""Whether a file is being closed because the with-block around it failed.

Theory of operation. Our own files learn it in `__exit__`. What the standard library wraps around
them does not tell: the `__exit__` of io.TextIOWrapper, contextlib.closing or codecs.StreamWriter
just calls `close`, and half a file would appear in the place of a good one (smart_open issue 763).
That an exception is being handled is no sign by itself: `except KeyError: ...; file.close()` is an
ordinary end. But the frame that ends a with-block by an exception stands at one instruction that
nothing else uses. So the frames are looked at from `close` upwards, past those wrappers: when the
first other frame stands at that instruction, the block failed. A `finally: file.close()` looks like
any other close, here as with local files: who wants nothing to appear calls `abandon`.
"""

import dis
import sys
from types import FrameType
from typing import Optional

_WRAPPERS = frozenset(("_pyio", "bz2", "codecs", "contextlib", "gzip", "lzma", "tempfile"))
"""Modules that pass the end of a with-block on to the file that they wrap."""

_ENDS_BY_EXCEPTION = dis.opmap.get("WITH_EXCEPT_START")


def with_block_failed() -> bool:
    """Whether the caller, the `close` of a file, is called to end a with-block that failed."""
    if sys.exc_info()[0] is None:
        return False
    frame: Optional[FrameType] = sys._getframe(1).f_back
    while frame is not None and frame.f_globals.get("__name__") in _WRAPPERS:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_code[frame.f_lasti] == _ENDS_BY_EXCEPTION
