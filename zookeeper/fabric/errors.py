"""The error family: what went wrong, whose fault it is, whether to try again, how to exit.

Every error that a person or another process can meet is one of these classes. An error
crosses the wire as `(code, message)` and is raised again as the same class by `from_wire`;
foreign exceptions (OSError, sqlite3.Error, rpyc's) are turned into one of them once, where
they enter. Assertions are for our own mistakes and never cross.

All are an OSError, too, and the kind of it that a local file would raise: a program that expects
FileNotFoundError of a missing file need not learn a new name. So who turns the system's errors into
ours lets those that are ours already pass, before he catches OSError.
"""

import errno
from typing import Any, Dict, Tuple, Type


class DfsError(OSError):
    """Root of the family.

    `code` names the class on the wire. `reason` is the short POSIX-like phrase that the shell
    prints after a path, or empty when the message speaks for itself. `exit_status` is what a
    command exits with. `retryable` says that the same call may succeed later, unchanged.

    As an OSError it has `errno`, which is `number` of the class, `strerror`, and `filename`, which
    the client library sets to the path that it was asked about. `str` is the message alone.
    """

    code = "error"
    reason = ""
    exit_status = 1
    retryable = False
    number = errno.EIO

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.reason or self.code)
        self.errno = self.number
        self.strerror = self.reason or self.message

    @property
    def message(self) -> str:
        """The sentence for a person."""
        return str(self.args[0])

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Tuple[Any, ...]:
        # A pool of processes sends errors home. A subclass may take other arguments than a message.
        parts = ("errno", "strerror", "filename", "filename2")
        return _again, (type(self), self.message), {
            **self.__dict__, **{part: getattr(self, part) for part in parts}
        }


def _again(kind: Type[DfsError], message: str) -> DfsError:
    error = kind.__new__(kind)
    DfsError.__init__(error, message)
    return error


# What the caller asked for cannot be: the namespace says no.


class PathNotFound(DfsError, FileNotFoundError):
    """No inode has this path."""

    code, reason = "path_not_found", "No such file or directory"
    number = errno.ENOENT


class PathExists(DfsError, FileExistsError):
    """Something already has this path."""

    code, reason = "path_exists", "File exists"
    number = errno.EEXIST


class NotADirectory(DfsError, NotADirectoryError):
    """A component that must be a directory is a file."""

    code, reason = "not_a_directory", "Is not a directory"
    number = errno.ENOTDIR


class IsADirectory(DfsError, IsADirectoryError):
    """A file was expected and a directory found."""

    code, reason = "is_a_directory", "Is a directory"
    number = errno.EISDIR


class DirectoryNotEmpty(DfsError):
    """A directory with children was to be deleted without recursion."""

    code, reason = "directory_not_empty", "Directory is not empty"
    number = errno.ENOTEMPTY


class PermissionDenied(DfsError, PermissionError):
    """The caller's user may not do this."""

    code, reason = "permission_denied", "Permission denied"
    number = errno.EACCES


class InvalidArgument(DfsError, ValueError):
    """A value is of the wrong type or out of range; also a path that cannot be a path."""

    code = "invalid_argument"
    number = errno.EINVAL


class QuotaExceeded(DfsError):
    """A name or space quota of a directory above would be exceeded."""

    code = "quota_exceeded"
    number = errno.EDQUOT


# Writers and their leases.


class AlreadyBeingCreated(DfsError):
    """Another client holds the lease on this path."""

    code = "already_being_created"
    number = errno.EBUSY


class LeaseExpired(DfsError):
    """The caller's lease is gone: it expired, or the file was deleted or taken over."""

    code = "lease_expired"
    number = errno.ESTALE


# The cluster cannot do it now.


class SafeMode(DfsError):
    """The namenode has not heard from enough datanodes yet, or was told to stay read-only."""

    code, retryable = "safe_mode", True
    number = errno.EROFS


class StartingUp(SafeMode):
    """The safe mode of a namenode that has just started: it ends by itself as datanodes report."""

    code = "starting_up"


class NotEnoughReplicas(DfsError):
    """Too few datanodes are alive, or have confirmed a block."""

    code, retryable = "not_enough_replicas", True
    number = errno.EHOSTDOWN


class PipelineFailed(DfsError):
    """A datanode of a write pipeline failed; the message names the link (protocol/failures.py)."""

    code, retryable = "pipeline_failed", True
    number = errno.EREMOTEIO


class BlockMissing(DfsError):
    """No live replica of a block could be read."""

    code = "block_missing"


class CorruptData(DfsError):
    """Bytes do not match their checksum, or a store's own structure is damaged."""

    code, reason = "corrupt_data", "Input/output error"


class DiskFull(DfsError):
    """A disk has no room left, or only its reserve."""

    code = "disk_full"
    number = errno.ENOSPC


class DiskFailed(DfsError):
    """The operating system refused a disk operation; after a failed fsync nothing is retried."""

    code, reason = "disk_failed", "Input/output error"


class LocalFileError(DfsError):
    """A file on the client's own machine cannot be read or written."""

    code = "local_file"

    @classmethod
    def of(cls, error: OSError, path: str) -> "LocalFileError":
        """What the system said of a path, with its number."""
        made = cls(f"{path}: {error.strerror or error}")
        if error.errno is not None:
            made.errno, made.strerror = error.errno, error.strerror
        made.filename = path
        return made


# Between processes.


class Unavailable(DfsError, ConnectionError):
    """A process cannot be reached, or the connection broke: the call may or may not have run."""

    code, retryable = "unavailable", True
    number = errno.ENOTCONN


class DeadlineExceeded(Unavailable, TimeoutError):
    """The answer did not come in time: the call may or may not have run."""

    code = "deadline_exceeded"
    number = errno.ETIMEDOUT


class Busy(DfsError):
    """A limit (connections, queue, streams) is reached; nothing was done."""

    code, retryable = "busy", True
    number = errno.EBUSY


class AuthenticationFailed(DfsError, PermissionError):
    """The peer did not prove who it is, or speaks another mode."""

    code = "authentication_failed"
    number = errno.EACCES


class TokenExpired(DfsError, PermissionError):
    """A block token was good, and its time, or that of its key, is over: the namenode gives out
    another one."""

    code, retryable = "token_expired", True
    number = errno.EACCES


class ProtocolViolation(DfsError):
    """The peer sent something that the protocol does not allow."""

    code = "protocol_violation"
    number = errno.EPROTO


class SessionExpired(DfsError):
    """The session or registration is not known (any more): open a new one."""

    code = "session_expired"
    number = errno.ESTALE


class NotLeader(DfsError):
    """This process does not lead its role now; another may."""

    code, retryable = "not_leader", True
    number = errno.EHOSTUNREACH


class Fenced(DfsError):
    """A newer epoch exists: the holder of the older one must stop at once."""

    code = "fenced"
    number = errno.ESTALE


class OutOfStep(DfsError):
    """A member's log is that of another epoch, or differs where edits should be put behind it."""

    code = "out_of_step"
    number = errno.ESTALE


# The process cannot start.


class SettingsError(DfsError):
    """config.ini or the command line is wrong; the message names file, line and expectation."""

    code, exit_status = "settings", 2
    number = errno.EINVAL


class StartRefused(DfsError):
    """A directory is locked, foreign or damaged, or an address is taken or not allowed."""

    code = "start_refused"
    number = errno.ECANCELED


class InternalError(DfsError):
    """A defect of ours; the process that failed logged the details."""

    code = "internal"


def _family(root: Type[DfsError]) -> Dict[str, Type[DfsError]]:
    by_code = {root.code: root}
    for child in root.__subclasses__():
        by_code.update(_family(child))
    return by_code


_BY_CODE = _family(DfsError)


def from_wire(code: object, message: object) -> DfsError:
    """The error that a peer reported; an unknown code becomes a plain DfsError."""
    return _BY_CODE.get(str(code), DfsError)(str(message))
