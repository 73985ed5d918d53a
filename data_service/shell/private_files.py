"""Files of this machine that hold a secret: only their owner can open them."""

import os

from data_service.filesystem.local import local_errors
from zookeeper.fabric.disk import write_file

SECRET_CHARACTERS_MAX = 4096


def keep(path: str, text: str) -> None:
    """Write it in the place of an earlier one at once, so that who uses it never reads half."""
    umask = os.umask(0o077)
    try:
        write_file(path, text.encode("utf-8"))
    finally:
        os.umask(umask)


def kept(path: str) -> str:
    """The one line of such a file; raises LocalFileError."""
    with local_errors(path), open(path, encoding="utf-8", errors="replace") as file:
        return file.read(SECRET_CHARACTERS_MAX).strip()
