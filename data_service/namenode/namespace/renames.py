"""What cannot be renamed to what, in HDFS's words."""

from data_service.namenode.namespace.inodes import Directory, Inode
from data_service.namenode.namespace.paths import render
from data_service.namenode.namespace.resolver import Names
from zookeeper.fabric.errors import (
    DirectoryNotEmpty,
    InvalidArgument,
    IsADirectory,
    NotADirectory,
    PathExists,
)


def check_rename(source: Names, destination: Names) -> None:
    """Raise for paths between which nothing can be moved, whatever is there."""
    if not source:
        raise InvalidArgument("rename source cannot be the root")
    if not destination:
        raise InvalidArgument("rename destination cannot be the root")
    if source == destination:
        raise PathExists(
            f"The source {render(source)} and destination {render(destination)} are the same"
        )
    if destination[: len(source)] == source:
        raise InvalidArgument(
            f"Rename destination {render(destination)} is a directory or file "
            f"under source {render(source)}"
        )


def check_replaced(inode: Inode, source: Names, old: Inode, destination: Names) -> None:
    """Raise unless an inode may take the place of another one, in HDFS's words."""
    mixed = (
        f"Source {render(source)} and destination {render(destination)} must both be directories"
    )
    if isinstance(inode, Directory) and not isinstance(old, Directory):
        raise NotADirectory(mixed)
    if isinstance(old, Directory):
        if not isinstance(inode, Directory):
            raise IsADirectory(mixed)
        if old.children:
            raise DirectoryNotEmpty(
                f"rename destination directory is not empty: {render(destination)}"
            )
