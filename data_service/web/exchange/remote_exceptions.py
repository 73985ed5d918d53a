"""Errors as WebHDFS tells them: HDFS's class of exception, its status, and its words.

Clients decide by these. One takes "does not exist" in a message for leave to write; others go by
the name of the class, or hold the status against it. So both are tables.
"""

import json
from typing import Dict, NamedTuple, Tuple, Type

from zookeeper.fabric.errors import (
    AlreadyBeingCreated,
    AuthenticationFailed,
    BlockMissing,
    Busy,
    CorruptData,
    DfsError,
    DirectoryNotEmpty,
    InternalError,
    InvalidArgument,
    IsADirectory,
    LeaseExpired,
    NotADirectory,
    NotLeader,
    PathExists,
    PathNotFound,
    PermissionDenied,
    QuotaExceeded,
    SafeMode,
    Unavailable,
)


class Kind(NamedTuple):
    """A class of exceptions: its name, its Java package, the status that goes with it."""

    name: str
    package: str
    status: int


ILLEGAL_ARGUMENT = Kind("IllegalArgumentException", "java.lang", 400)
HADOOP_ILLEGAL_ARGUMENT = Kind("HadoopIllegalArgumentException", "org.apache.hadoop", 400)
INVALID_PATH = Kind("InvalidPathException", "org.apache.hadoop.fs", 400)
UNSUPPORTED = Kind("UnsupportedOperationException", "java.lang", 400)
ACCESS_CONTROL = Kind("AccessControlException", "org.apache.hadoop.security", 403)
UNAUTHENTICATED = Kind("SecurityException", "java.lang", 401)
INVALID_TOKEN = Kind("InvalidToken", "org.apache.hadoop.security.token.SecretManager", 403)
FILE_NOT_FOUND = Kind("FileNotFoundException", "java.io", 404)
NO_RESOURCE = Kind("NotFoundException", "com.sun.jersey.api", 404)
FILE_EXISTS = Kind("FileAlreadyExistsException", "org.apache.hadoop.fs", 403)
PARENT_NOT_DIRECTORY = Kind("ParentNotDirectoryException", "org.apache.hadoop.fs", 403)
NOT_EMPTY = Kind("PathIsNotEmptyDirectoryException", "org.apache.hadoop.fs", 403)
NAME_QUOTA = Kind("NSQuotaExceededException", "org.apache.hadoop.hdfs.protocol", 403)
SPACE_QUOTA = Kind("DSQuotaExceededException", "org.apache.hadoop.hdfs.protocol", 403)
BEING_CREATED = Kind("AlreadyBeingCreatedException", "org.apache.hadoop.hdfs.protocol", 403)
LEASE_EXPIRED = Kind("LeaseExpiredException", "org.apache.hadoop.hdfs.server.namenode", 403)
SAFE_MODE = Kind("SafeModeException", "org.apache.hadoop.hdfs.server.namenode", 403)
STANDBY = Kind("StandbyException", "org.apache.hadoop.ipc", 403)
RETRIABLE = Kind("RetriableException", "org.apache.hadoop.ipc", 403)
NOBODY_LEADS = Kind("RetriableException", "org.apache.hadoop.ipc", 503)
BLOCK_MISSING = Kind("BlockMissingException", "org.apache.hadoop.hdfs", 403)
CHECKSUM = Kind("ChecksumException", "org.apache.hadoop.fs", 403)
IO = Kind("IOException", "java.io", 403)
RUNTIME = Kind("RuntimeException", "java.lang", 500)


class RemoteException(DfsError):
    """An error in HDFS's words, of a kind of its own."""

    code = "remote_exception"

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    @property
    def body(self) -> bytes:
        """The JSON that tells of it."""
        told = {
            "exception": self.kind.name,
            "javaClassName": f"{self.kind.package}.{self.kind.name}",
            "message": self.message,
        }
        return json.dumps({"RemoteException": told}).encode("ascii")


_KINDS: Tuple[Tuple[Type[DfsError], Kind], ...] = (
    (PathNotFound, FILE_NOT_FOUND),
    (NotADirectory, PARENT_NOT_DIRECTORY),
    (PathExists, FILE_EXISTS),
    (IsADirectory, FILE_NOT_FOUND),
    (DirectoryNotEmpty, NOT_EMPTY),
    (PermissionDenied, ACCESS_CONTROL),
    (AuthenticationFailed, UNAUTHENTICATED),
    (InvalidArgument, ILLEGAL_ARGUMENT),
    (QuotaExceeded, SPACE_QUOTA),
    (AlreadyBeingCreated, BEING_CREATED),
    (LeaseExpired, LEASE_EXPIRED),
    (SafeMode, SAFE_MODE),
    (NotLeader, STANDBY),
    (Unavailable, RETRIABLE),
    (Busy, RETRIABLE),
    (BlockMissing, BLOCK_MISSING),
    (CorruptData, CHECKSUM),
    (InternalError, RUNTIME),
    (DfsError, IO),
)
"""The first that an error is of."""

_MISSING: Dict[str, str] = {
    "GETFILESTATUS": "File does not exist: {}",
    "GETCONTENTSUMMARY": "File does not exist: {}",
    "LISTSTATUS": "File {} does not exist.",
    "LISTSTATUS_BATCH": "File {} does not exist.",
    "OPEN": "File {} not found.",
    "APPEND": "File {} not found.",
    "GETFILECHECKSUM": "File {} not found.",
    "SETPERMISSION": "Directory/File does not exist {}",
    "SETOWNER": "Directory/File does not exist {}",
    "SETTIMES": "File/Directory {} does not exist.",
}
"""What each operation says of a path that is not there; the others say what the namenode does."""


def translated(error: DfsError, op: str, path: str) -> RemoteException:
    """An error of the family as the operation `op` tells it of its path."""
    if isinstance(error, RemoteException):
        return error
    if isinstance(error, NotADirectory) and op in _MISSING:
        # Below a file there is nothing.
        error = PathNotFound(error.message)
    kind = next(kind for family, kind in _KINDS if isinstance(error, family))
    message = error.message
    if kind is FILE_NOT_FOUND and isinstance(error, PathNotFound) and op in _MISSING:
        message = _MISSING[op].format(path)
    elif isinstance(error, IsADirectory) and op in ("CREATE", "APPEND"):
        kind = FILE_EXISTS
    elif op == "RENAME" and _forbids_a_rename(kind, message):
        kind = IO
    elif kind is PARENT_NOT_DIRECTORY and op == "MKDIRS":
        if message.startswith("Path is not a directory"):
            kind = FILE_EXISTS
        else:
            message = f"Parent path is not a directory: {message.partition(' (is not')[0]}"
    elif kind is NOT_EMPTY:
        message = f"`{path} is non empty': Directory is not empty"
    elif kind is SPACE_QUOTA and message.startswith("The NameSpace quota"):
        kind = NAME_QUOTA
    elif kind is ILLEGAL_ARGUMENT:
        if message.startswith("Invalid path name"):
            kind = INVALID_PATH
        elif op in ("CONCAT", "TRUNCATE"):
            kind = HADOOP_ILLEGAL_ARGUMENT
    return RemoteException(kind, message)


def _forbids_a_rename(kind: Kind, message: str) -> bool:
    """Whether HDFS has no class of its own for what stands in the way of a rename."""
    if kind is ILLEGAL_ARGUMENT:
        return not message.startswith("Invalid path name")
    return kind is NOT_EMPTY or message.endswith("must both be directories")


def nothing_at(path: str, hint: str = "") -> RemoteException:
    """A path that means nothing here. It is not told as one of a file: who hears that one does
    not exist may make it, or forget it."""
    return RemoteException(NO_RESOURCE, f"nothing is at {path:.200}{hint}")


def refused(message: str, status: int = 400) -> RemoteException:
    """A request that means nothing, or is not for us to answer."""
    return RemoteException(ILLEGAL_ARGUMENT._replace(status=status), message)
