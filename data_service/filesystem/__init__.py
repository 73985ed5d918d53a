"""The client library: the files of a cluster, for Python programs.

    from data_service.filesystem import FileSystem, PathNotFound

    with FileSystem("/path/to/config.ini") as fs:
        with fs.open("/logs/today", "w") as file:
            file.write("one line\\n")
        for path in fs.glob("/logs/*"):
            print(path, fs.stat(path).length)
        try:
            fs.read_text("/logs/yesterday")
        except PathNotFound as error:  # Or FileNotFoundError, or OSError.
            print(error, error.filename)

All errors are a DfsError, which is an OSError; those that a program may want to tell apart are
here. Where Python has a kind of its own for one, it is of that kind, too: PathNotFound is a
FileNotFoundError, PathExists a FileExistsError, NotADirectory a NotADirectoryError, IsADirectory an
IsADirectoryError, PermissionDenied and AuthenticationFailed a PermissionError, Unavailable a
ConnectionError, DeadlineExceeded (an Unavailable) a TimeoutError, InvalidArgument a ValueError. The
others are known by `errno`: DirectoryNotEmpty ENOTEMPTY, QuotaExceeded EDQUOT, DiskFull ENOSPC,
SafeMode EROFS, AlreadyBeingCreated EBUSY, LeaseExpired ESTALE, BlockMissing EIO, … `retryable`
says whether the same call may succeed later. LocalFileError is about a file of this machine, and of
the kind that the system raised.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from data_service.protocol.files import FileStatus
from zookeeper.fabric.errors import (
    AlreadyBeingCreated,
    AuthenticationFailed,
    BlockMissing,
    Busy,
    CorruptData,
    DeadlineExceeded,
    DfsError,
    DirectoryNotEmpty,
    DiskFull,
    InvalidArgument,
    IsADirectory,
    LeaseExpired,
    LocalFileError,
    NotADirectory,
    NotEnoughReplicas,
    NotLeader,
    PathExists,
    PathNotFound,
    PermissionDenied,
    PipelineFailed,
    QuotaExceeded,
    SafeMode,
    SettingsError,
    Unavailable,
)

if TYPE_CHECKING:
    from data_service.filesystem.file_system import FileSystem

__all__ = [
    "FileSystem",
    "FileStatus",
    "AlreadyBeingCreated",
    "AuthenticationFailed",
    "BlockMissing",
    "Busy",
    "CorruptData",
    "DeadlineExceeded",
    "DfsError",
    "DirectoryNotEmpty",
    "DiskFull",
    "InvalidArgument",
    "IsADirectory",
    "LeaseExpired",
    "LocalFileError",
    "NotADirectory",
    "NotEnoughReplicas",
    "NotLeader",
    "PathExists",
    "PathNotFound",
    "PermissionDenied",
    "PipelineFailed",
    "QuotaExceeded",
    "SafeMode",
    "SettingsError",
    "Unavailable",
]


def __getattr__(name: str) -> Any:
    # FileSystem brings all that speaks to the cluster. Who needs a small module of this package
    # only, as the shell does for its help, must not wait for that.
    if name != "FileSystem":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = import_module(f"{__name__}.file_system").FileSystem
    return found
