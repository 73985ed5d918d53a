"""Absolute paths as text, and as tuples of components.

Clients normalise what a person typed (relative paths, `.`, `..`, doubled slashes) before they
send it. The namenode takes only the normal form and refuses everything else: a path that could be
read in two ways would be checked in one way and used in the other.
"""

from typing import Sequence, Tuple

from zookeeper.fabric.errors import InvalidArgument

NAME_BYTES_MAX = 255
"""The longest component, in bytes of UTF-8; what local file systems can hold as well."""

PATH_BYTES_MAX = 8000
"""The longest path, in bytes of UTF-8."""

DEPTH_MAX = 1000
"""The most components of a path."""

# UTF-8 takes at most four bytes a character: names this short need not be encoded to be measured.
_SURELY_SHORT = NAME_BYTES_MAX // 4
_REFUSED = frozenset(("", ".", "..", ".snapshot"))


def parse(path: object) -> Tuple[str, ...]:
    """The components of an absolute path, none for `/`; InvalidArgument when it is no path."""
    if type(path) is not str:
        raise InvalidArgument("A path must be a text")
    if path == "/":
        return ()
    if len(path) > PATH_BYTES_MAX:
        raise InvalidArgument(_too_long())
    if not path.startswith("/"):
        raise InvalidArgument(_relative(path))
    _check_length(path)
    names = tuple(path[1:].split("/"))
    if len(names) > DEPTH_MAX:
        raise InvalidArgument(_too_long())
    for name in names:
        if name in _REFUSED or len(name) > _SURELY_SHORT:
            _check_name(path, name)
    if names[0] == ".reserved":
        raise InvalidArgument('File name ".reserved" is reserved and cannot be created.')
    return names


def render(names: Sequence[str]) -> str:
    """The path of these components; the reverse of `parse`."""
    return "/" + "/".join(names)


def _check_length(path: str) -> None:
    if "\0" in path:
        raise InvalidArgument("Invalid path name: it contains a NUL character")
    if path.isascii():
        size = len(path)
    else:
        try:
            size = len(path.encode("utf-8"))
        except UnicodeEncodeError:
            raise InvalidArgument("Invalid path name: it is not valid Unicode") from None
    if size > PATH_BYTES_MAX:
        raise InvalidArgument(_too_long())


def _check_name(path: str, name: str) -> None:
    if name == ".snapshot":
        raise InvalidArgument('".snapshot" is a reserved name.')
    if name in _REFUSED:
        raise InvalidArgument(f"Invalid path name {path}")
    size = len(name.encode("utf-8"))
    if size > NAME_BYTES_MAX:
        raise InvalidArgument(
            "The maximum path component name limit of "
            f"{name} is exceeded: limit={NAME_BYTES_MAX} length={size}"
        )


def _relative(path: str) -> str:
    if not path:
        return "Can not create a Path from an empty string"
    return f"Invalid path name {path!a}: it is not absolute"


def _too_long() -> str:
    return f"Pathname too long.  Limit {PATH_BYTES_MAX} characters, {DEPTH_MAX} levels."
