"""Where bytes for a local name really go: links, devices, pipes, standard output.

A link that a person named is written through, as `cp` does. A link that is only met (in a target
directory, at a name that comes from the source) is replaced or refused: somebody else may have put
it there. What is no ordinary file is written into, and never replaced.
"""

import errno
import io
import os
import re
import select
import stat
from typing import Any, BinaryIO, Optional

LINKS_MAX = 40
"""As many links in a row as the kernel follows."""

_DESCRIPTORS = r"/proc/([0-9]+)(?:/task/[0-9]+)?/fd"


def behind(path: str) -> str:
    """The path of what a chain of links ends in; the path itself when it is no link.

    An open descriptor of this process, as /dev/stdout is one, is named and not what it is open on.
    Raises OSError for links to nothing: through them a file would be made where nobody looks.
    """
    for _ in range(LINKS_MAX):
        if descriptor_of(path) is not None or not os.path.islink(path):
            return path
        path = os.path.join(os.path.dirname(path), os.readlink(path))
        if descriptor_of(path) is None and not os.path.lexists(path):
            raise OSError(errno.ENOENT, "not writing through a dangling symbolic link")
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def descriptor_of(path: str) -> Optional[int]:
    """The number of this process's descriptor that a path such as /dev/fd/1 names, or None."""
    folder, _, name = path.rpartition("/")
    if not (name.isascii() and name.isdigit()):
        return None
    found = re.fullmatch(_DESCRIPTORS, os.path.realpath(folder or "."))
    return int(name) if found is not None and int(found.group(1)) == os.getpid() else None


def is_stream(path: str) -> bool:
    """Whether a path is written into as it is: a device, a pipe, an open descriptor."""
    if descriptor_of(path) is not None:
        return True
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False  # Whoever makes the file finds out, and says what is wrong.
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))


def is_regular(path: str) -> bool:
    """Whether a local path is an ordinary file, behind any symbolic links."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True  # The transfer itself finds out, and says what is wrong.


def check_open(path: str) -> None:
    """Raise OSError for a descriptor, such as /dev/stdin, that whoever began this process closed.

    Its number may have been given to a connection or a pipe of our own by now, from which nothing
    is to be read, and into which nothing is to be written.
    """
    for _ in range(LINKS_MAX):
        number = descriptor_of(path)
        # Python opens whatever it opens for this process alone.
        if number is not None and os.path.lexists(path) and not os.get_inheritable(number):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if number is not None or not os.path.islink(path):
            return
        path = os.path.join(os.path.dirname(path), os.readlink(path))


class _PatientFile(io.FileIO):
    """Waits for room in a pipe or terminal that somebody made non-blocking."""

    def write(self, data: Any) -> int:
        while True:
            written = super().write(data)
            if written is not None:
                return written
            watch = select.poll()
            watch.register(self.fileno(), select.POLLOUT)
            watch.poll()


def open_stream(path: str) -> BinaryIO:
    """What `is_stream` said yes to, to be written; raises OSError.

    A descriptor of this process is doubled: opened by its name, a file behind it would be cut to
    nothing, and written from its start.
    """
    check_open(path)
    number = descriptor_of(path)
    descriptor = os.dup(number) if number is not None else os.open(path, os.O_WRONLY)
    return io.BufferedWriter(_PatientFile(descriptor, "wb"))
