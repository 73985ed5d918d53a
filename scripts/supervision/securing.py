"""Mode `secret`, where nobody has chosen a mode: the cluster's key, and two lines of config.ini.

Who starts with `quickstart` has a cluster that knows whom it speaks to, without having to learn
first what keys are for. What somebody wrote into the file stays as he wrote it.
"""

import os
from typing import List, Tuple

from zookeeper.fabric.disk import disk_errors, fsync_directory, make_directories, write_file

KEY_BYTES = 32

KEY_FILE = "data/cluster.key"
"""Where the key lies, seen from config.ini, unless that says otherwise."""

_SECTION = "security"
_CHOICE = {"mode": "secret", "key_file": KEY_FILE}


def with_mode_secret(text: str) -> str:
    """The text of a config.ini with mode `secret` and its key, in the place of the comments that
    show their defaults; the same text when mode or key stand there already."""
    lines = text.rstrip().split("\n") if text.strip() else []
    first, last = _section(lines)
    section = lines[first:last] if first else []
    if any(_key(line) in _CHOICE and not _is_comment(line) for line in section):
        return text
    if not first:
        lines += ["", f"[{_SECTION}]"] if lines else [f"[{_SECTION}]"]
        first = last = len(lines)
    for key, value in reversed(_CHOICE.items()):
        shown = [number for number in range(first, last) if _key(lines[number]) == key]
        if shown:
            lines[shown[-1]] = f"{key} = {value}"
        else:
            lines.insert(first, f"{key} = {value}")
            last += 1
    return "\n".join(lines) + "\n"


def choose_secret(config: str) -> bool:
    """Set mode `secret` in a config.ini that has chosen no mode; whether that was done.

    Raises DiskFailed, DiskFull.
    """
    path = os.path.realpath(config)
    with disk_errors(path, "read"):
        with open(path, encoding="utf-8", newline="") as file:
            text, mode = file.read(), os.fstat(file.fileno()).st_mode
    secured = with_mode_secret(text)
    if secured == text:
        return False
    write_file(path, secured.encode("utf-8"))
    with disk_errors(path):
        os.chmod(path, mode & 0o777)
    return True


def make_key(path: str) -> bool:
    """Make a cluster's key of random bytes, which only its owner can open; whether there was none.

    Raises DiskFailed, DiskFull.
    """
    make_directories(os.path.dirname(path))
    beside = f"{path}.new"
    write_file(beside, os.urandom(KEY_BYTES))
    with disk_errors(path, "make"):
        try:
            # A key that is there stays, and one that comes is whole.
            os.link(beside, path)
        except FileExistsError:
            return False
        finally:
            os.unlink(beside)
    fsync_directory(os.path.dirname(path))
    return True


def _section(lines: List[str]) -> Tuple[int, int]:
    """From which line to which the section has its settings; from 0 when there is none."""
    names = [(number, _name(line)) for number, line in enumerate(lines) if _name(line)]
    for place, (number, name) in enumerate(names):
        if name == _SECTION:
            following = names[place + 1 :]
            return number + 1, following[0][0] if following else len(lines)
    return 0, 0


def _name(line: str) -> str:
    """The name of the section that a line begins, empty for any other line."""
    line = line.strip()
    return line[1:-1].strip() if line[:1] == "[" and line[-1:] == "]" else ""


def _key(line: str) -> str:
    """The key that a line sets, or shows in a comment."""
    return line.strip().lstrip("#; ").partition("=")[0].strip()


def _is_comment(line: str) -> bool:
    return line.strip()[:1] in ("#", ";")
