"""Paths as people type them: URIs, relative paths, and the form in which they are shown again.

Whatever a person typed relative stays relative in every message, what had a scheme keeps it.
"""

from typing import NamedTuple, Optional

from data_service.shell.failures import PathError, UsageError


class Typed(NamedTuple):
    """A path taken apart. `scheme` is empty and `authority` None where none was typed."""

    text: str
    scheme: str
    authority: Optional[str]
    path: str

    @property
    def prefix(self) -> str:
        """What stands before the path: `hdfs://host:1`, `hdfs://`, or nothing."""
        if not self.scheme:
            return ""
        return f"{self.scheme}://{self.authority or ''}"

    @property
    def is_relative(self) -> bool:
        """Whether the path starts at the working directory."""
        return not self.scheme and not self.path.startswith("/")

    @property
    def names_directory(self) -> bool:
        """Whether the text alone says that a directory is meant: `d/`, `.`, `..`."""
        return self.path.rpartition("/")[2] in ("", ".", "..")


def parse(text: str) -> Typed:
    """Take a path apart; raises UsageError for what cannot be one."""
    if not text:
        raise UsageError("Can not create a Path from an empty string")
    scheme, rest = "", text
    authority: Optional[str] = None
    colon, slash = text.find(":"), text.find("/")
    if colon == 0:
        raise UsageError(f"Expected scheme name at index 0: {text}")
    if colon > 0 and (slash < 0 or colon < slash):
        scheme, rest = text[:colon], text[colon + 1 :]
        if not rest.startswith("/"):
            raise UsageError(f"Relative path in absolute URI: {text}")
    # Without a scheme `//x` is `/x`, as POSIX has it: a script's empty $DIR in "/$DIR/x" must not
    # make a host of the first name, and the home directory of what is left.
    if scheme and rest.startswith("//") and len(rest) > 2:
        host, separator, path = rest[2:].partition("/")
        authority, rest = host or None, separator + path
    return Typed(text, scheme, authority, rest)


def check_name(text: str, path: str) -> None:
    """Raise PathError for a name that UTF-8 cannot hold, as a local file may have one."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise PathError(text, "The name is not valid UTF-8") from None


def relative(path: str, directory: str) -> str:
    """How to get from `directory` to `path`; both absolute and normalised."""
    there = [part for part in path.split("/") if part]
    here = [part for part in directory.split("/") if part]
    same = 0
    while same < min(len(there), len(here)) and there[same] == here[same]:
        same += 1
    return "/".join([".."] * (len(here) - same) + there[same:]) or "."


def shown(typed: Typed, path: str, directory: str) -> str:
    """The text for an existing `path` that was found by what was typed, in the typed form."""
    if typed.is_relative:
        return relative(path, directory)
    return typed.prefix + path


def child(text: str, name: str) -> str:
    """The text of a name inside of the directory that was typed as `text`."""
    if text == ".":
        return name
    return f"{text}{name}" if text.endswith("/") else f"{text}/{name}"


def base_name(path: str) -> str:
    """The last component of a normalised path; empty for `/`."""
    return path.rpartition("/")[2]
