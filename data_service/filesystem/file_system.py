"""FileSystem: the whole cluster as one object, for Python programs and for the shell."""

import copy
import errno
import io
import os
import pwd
import weakref
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from data_service.filesystem.administration import Administration
from data_service.filesystem.conveniences import Conveniences
from data_service.filesystem.writing.lease_keeper import LeaseKeeper
from data_service.filesystem.local import Progress, local_errors
from data_service.filesystem.namenode_client import NameNodeClient
from data_service.filesystem.names import FILE_MODE, UMASK
from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.filesystem.open_modes import ENCODING, TextWriter, parse_mode
from data_service.filesystem.paths import AnyPath
from data_service.filesystem.reading.file_reader import FileReader
from data_service.filesystem.reading.block_reader import BlockReader
from data_service.filesystem.writing.open_file import WriteOptions
from data_service.filesystem.contents import Writing
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from data_service.protocol.messages import LocatedBlock
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import USER, Principal
from zookeeper.fabric.settings import Settings, load

if TYPE_CHECKING:
    from data_service.filesystem.reading.file_checksum import FileChecksum
    from data_service.filesystem.writing.file_writer import FileWriter

# A command such as `ls` must not wait for what only put and get need: their modules (with tempfile
# and concurrent.futures: a tenth of its time) are imported where they are used.

log = logs.get("filesystem")

BUFFER_BYTES = CHUNK_BYTES


class FileSystem(Administration, Writing, Conveniences):
    """A client of one cluster: that of a `config` file, for a `user`.

    Without a config it is the cluster of $PYHDFS_CONFIG, or of the config.ini beside the packages;
    without a user the caller is $PYHDFS_USER, $HADOOP_USER_NAME, or who runs the program. Close it,
    or use it in a `with`. Threads may share it; a forked process may go on with it, as a client of
    its own, but for files that were open then, which stay the parent's. A program may have several.

    Paths are text or os.PathLike; relative ones begin in the home directory, `/user/NAME`; `//`,
    `.` and `..` mean what they mean elsewhere. Every method raises errors of
    `data_service.filesystem`: PathNotFound, which is a FileNotFoundError, PermissionDenied,
    Unavailable and so on, all of them an OSError with `errno` and `filename`. `on_warning` is told,
    in a sentence, of a file that was written with fewer replicas than asked for because too few
    datanodes could take it; otherwise that goes to the log.
    """

    def __init__(
        self,
        config: Union[AnyPath, Settings, None] = None,
        user: Optional[str] = None,
        on_warning: Optional[Callable[[str], None]] = None,
    ) -> None:
        if not isinstance(config, Settings):
            config = load(None if config is None else os.fspath(config))
        self.settings = config
        self.user = user or current_user()
        self._on_warning = on_warning or _warn
        self._credentials = credentials_of(self.settings, Principal(USER, self.user))
        self._namenode = NameNodeClient(self.settings, self._credentials)
        interval = self.settings.name_node.lease_soft_seconds / 3
        self._leases = LeaseKeeper(self._namenode, interval)
        self._writers: "weakref.WeakSet[FileWriter]" = weakref.WeakSet()
        self._as_they_are = False
        self._memory = NodeMemory()
        self._umask = UMASK

    def __enter__(self) -> "FileSystem":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<FileSystem {self.settings.name_node.hosts[0]} user={self.user}{state}>"

    @property
    def closed(self) -> bool:
        """Whether it was closed; then every method raises InvalidArgument, a ValueError."""
        return self._namenode.closed

    def close(self) -> None:
        """Close the connections, once for all. Files that are open for writing are given up: nobody
        knows whether they are whole."""
        for writer in list(self._writers):
            if not writer.closed and not writer.inherited:
                log.warning("file.given_up", path=writer.path)
                writer.give_up("the FileSystem was closed before it")
        self._leases.close()
        self._namenode.close()

    def ignoring_checksums(self) -> "FileSystem":
        """The same, on the same connections, for who wants what is left of damaged files: where a
        block has no good replica, the bytes of a damaged one are read as they are."""
        other = copy.copy(self)
        other._as_they_are = True
        return other

    def under_umask(self, umask: int) -> "FileSystem":
        """The same, on the same connections, where new files and directories do not get the bits
        of `umask`; it is 022 otherwise."""
        other = copy.copy(self)
        other._umask = umask
        return other

    # Bytes.

    def open(
        self,
        path: AnyPath,
        mode: str = "rb",
        *,
        overwrite: bool = True,
        replication: int = 0,
        block_size: int = 0,
        encoding: Optional[str] = None,
        errors: Optional[str] = None,
        newline: Optional[str] = None,
    ) -> Any:
        """A file as a Python io object. Modes are those of Python's `open`, without `+`.

        `rb` (the default) is seekable and buffered; `wb` appears when it is closed, in the place of
        a file that was there unless `overwrite` is false; `xb` never replaces one; `ab` goes on
        behind the end, and makes a file that is missing. `r`, `w`, `x`, `a` are the same for text,
        in UTF-8 unless `encoding` names another; `errors` and `newline` as in Python.

        A with-block that ends with an exception gives a file opened for writing up, also that of a
        wrapper of the standard library, such as io.TextIOWrapper. A `close` in a `finally` cannot
        know it: call `abandon` there. Raises ValueError for another mode.
        """
        deed, text = parse_mode(mode)
        path = self.absolute(path)
        if not text and (encoding, errors, newline) != (None, None, None):
            raise ValueError(f"mode {mode!r}: bytes have no encoding, errors or newline")
        file: Any
        if deed == "r":
            reader = FileReader(self.block_locations(path), self._block_reader(path), path)
            file = io.BufferedReader(reader, BUFFER_BYTES)
        elif deed == "a":
            file = self.append(path, create=True, replication=replication, block_size=block_size)
        else:
            overwrite = overwrite and deed == "w"
            options = WriteOptions(overwrite, replication, block_size, FILE_MODE & ~self._umask)
            file = self._open_writer(path, options)
        if deed != "r":
            file.mode = f"{deed}b"
        if not text:
            return file
        kind = io.TextIOWrapper if deed == "r" else TextWriter
        try:
            wrapper: Any = kind(file, encoding or ENCODING, errors, newline)
            wrapper.mode = mode
            return wrapper
        except BaseException:
            # Of an encoding that nobody knows: nothing was written.
            getattr(file, "abandon", file.close)()
            raise

    def get(
        self,
        path: AnyPath,
        local_path: AnyPath,
        *,
        overwrite: bool = False,
        progress: Optional[Progress] = None,
    ) -> None:
        """Fetch a file; the local one appears complete and verified, or not at all."""
        path, local_path = self.absolute(path), os.fsdecode(local_path)
        if not overwrite and os.path.lexists(local_path):
            with local_errors(local_path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        from data_service.filesystem.reading.download import download

        locations = self.block_locations(path)
        parallel = self.settings.client.parallel_blocks
        download(locations, self._block_reader(path), local_path, parallel, progress, overwrite)

    def cat(
        self,
        path: AnyPath,
        sink: Callable[[memoryview], object],
        progress: Optional[Progress] = None,
    ) -> None:
        """Give the verified bytes of a file to `sink`, in order, in pieces of up to a chunk."""
        path = self.absolute(path)
        locations = self.block_locations(path)
        reader, done = self._block_reader(path), 0
        for located in locations.blocks:
            for piece in reader.read(located, 0, located.block.length):
                sink(piece)
                done += len(piece)
                if progress is not None:
                    progress(done, locations.status.length)

    def file_checksum(self, path: AnyPath) -> "FileChecksum":
        """HDFS's checksum of a file, computed by datanodes: the bytes stay where they are.

        The caller must be allowed to read the file. Raises BlockMissing.
        """
        from data_service.filesystem.reading.file_checksum import checksum_file

        path = self.absolute(path)
        parallel = self.settings.client.parallel_blocks
        return checksum_file(self.block_locations(path), self._block_reader(path), parallel)

    def salvage(self, path: AnyPath, directory: AnyPath) -> int:
        """Copy what can be read of a damaged file to files 0, 1, … of a directory; how many."""
        from data_service.filesystem.reading.salvage import salvage

        path, directory = self.absolute(path), self.absolute(directory)
        self.mkdir(directory, parents=True)
        blocks, reader = self.block_locations(path).blocks, self._block_reader(path)
        return salvage(blocks, reader, lambda number: self.open(f"{directory}/{number}", "wb"))

    # Within.

    def _block_reader(self, path: str) -> BlockReader:
        def relocate(located: LocatedBlock) -> Optional[LocatedBlock]:
            try:
                blocks = self.block_locations(path, located.offset, 1).blocks
            except DfsError as error:
                log.info("block.not_located", path=path, error=error.message)
                return None
            same = [other for other in blocks if other.block == located.block]
            return same[0] if same else None

        def report_bad(block: Block, node_id: str) -> None:
            log.info("replica.bad", block=block.name, node=node_id)
            try:
                self._namenode.call("report_bad_block", block, node_id)
            except DfsError as error:
                log.info("replica.not_reported", block=block.name, error=error.message)

        return BlockReader(
            path,
            self._credentials,
            self.settings.network,
            relocate,
            report_bad,
            self._as_they_are,
            self._memory,
            self.settings.client.retry_seconds,
        )


def current_user() -> str:
    """Who the caller is: $PYHDFS_USER, else $HADOOP_USER_NAME, else the operating system's user."""
    named = os.environ.get("PYHDFS_USER") or os.environ.get("HADOOP_USER_NAME")
    try:
        return named or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A user without an entry in the system's list, as in many containers.
        return str(os.getuid())


def _warn(sentence: str) -> None:
    log.warning("file.under_replicated", what=sentence)
