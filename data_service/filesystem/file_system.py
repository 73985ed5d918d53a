"""FileSystem: the whole cluster as one object, for Python programs and for the shell."""

import copy
import errno
import io
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Optional, Union

from data_service.filesystem.acting import Acting, acted_for, credentials_for
from data_service.filesystem.administration import Administration
from data_service.filesystem.conveniences import Conveniences
from data_service.filesystem.delegation import Delegation
from data_service.filesystem.late import Late
from data_service.filesystem.local import Progress, local_errors
from data_service.filesystem.namenode_client import NameNodeClient
from data_service.filesystem.names import FILE_MODE, Names
from data_service.filesystem.open_modes import ENCODING, TextWriter, parse_mode
from data_service.filesystem.paths import AnyPath
from data_service.protocol.checksums import CHUNK_BYTES
from data_service.protocol.files import FileStatus
from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.settings import Settings, load

if TYPE_CHECKING:
    from data_service.filesystem.name_nodes import NameNodes
    from data_service.filesystem.reading.block_reader import BlockReader
    from data_service.filesystem.reading.file_checksum import FileChecksum
    from data_service.filesystem.transport import Transport
    from data_service.filesystem.writing.files_being_written import FilesBeingWritten
    from data_service.filesystem.writing.open_file import WriteOptions

# A command such as `ls` must not wait for what only put and get need: their modules (with tempfile
# and concurrent.futures: a tenth of its time) are imported where they are used.

log = logs.get("filesystem")

BUFFER_BYTES = CHUNK_BYTES


class FileSystem(Names, Administration, Delegation, Conveniences):
    """A client of one cluster: that of a `config` file, for a `user`.

    Without a config it is the cluster of $PYHDFS_CONFIG, or of the config.ini beside the packages;
    without a user the caller is $PYHDFS_USER, $HADOOP_USER_NAME, whom the key file names, or who
    runs the program. With `acting` (see there) he acts for another by that one's web password or
    token; and a proxy of the cluster's settings for the user whom `on_behalf_of` names. Close it,
    or use it in a `with`. Threads may share it; a forked process may go on with it, as a client of
    its own, but for files that were open then, which stay the parent's. A program may have several.

    Paths are text or os.PathLike; relative ones begin in the home directory, `/user/NAME`; `//`,
    `.` and `..` mean what they mean elsewhere. Every method raises errors of
    `data_service.filesystem`: PathNotFound, which is a FileNotFoundError, PermissionDenied,
    Unavailable and so on, all of them an OSError with `errno` and `filename`. `on_warning` is told,
    in a sentence, of a file that was written with fewer replicas than asked for because too few
    datanodes could take it; otherwise that goes to the log.
    """

    # It *is* the names of a cluster and its administration, each of which stands alone, rather than
    # to have them: every call would be written once more here, only to be passed on. What moves
    # bytes is made of objects that it has.

    def __init__(
        self,
        config: Union[AnyPath, Settings, None] = None,
        user: Optional[str] = None,
        on_warning: Optional[Callable[[str], None]] = None,
        acting: Acting = None,
        on_behalf_of: str = "",
    ) -> None:
        if not isinstance(config, Settings):
            config = load(None if config is None else os.fspath(config))
        self.settings = config
        credentials = credentials_for(config, user or "", acting)
        user, greeting = acted_for(credentials.principal, acting, on_behalf_of)
        self._namenode = NameNodeClient(config, credentials, greeting)
        Names.__init__(self, self._namenode.calls, user)
        Administration.__init__(self, self._namenode.calls, user)
        Delegation.__init__(self, self._namenode.calls)
        self._credentials = credentials
        self._as_they_are = False
        self._transport = Late(lambda: self._connect(credentials, on_warning or _warn))

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
        self._transport.close()
        self._namenode.close()

    def knock(self) -> None:
        """Ask each namenode once at most, briefly, whether it lets this user in.

        Raises AuthenticationFailed when it does not (any more), and whatever keeps it from saying:
        Unavailable, NotLeader and so on, when none of them leads.
        """
        self._namenode.brief.stat("/")

    def briefly(self) -> "FileSystem":
        """The same, on the same connections, for who would rather hear that no namenode leads than
        wait for one: each is asked once at most, for two seconds."""
        other = copy.copy(self)
        other._calls = self._namenode.brief
        return other

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

    def name_nodes(self) -> "NameNodes":
        """The namenodes, each by itself, until that is closed."""
        from data_service.filesystem.name_nodes import NameNodes

        return NameNodes(self.settings, self._credentials)

    # Bytes.

    def open(
        self,
        path: AnyPath,
        mode: str = "rb",
        *,
        overwrite: bool = True,
        replication: int = 0,
        block_size: int = 0,
        permission: Optional[int] = None,
        encoding: Optional[str] = None,
        errors: Optional[str] = None,
        newline: Optional[str] = None,
    ) -> Any:
        """A file as a Python io object. Modes are those of Python's `open`, without `+`.

        `rb` (the default) is seekable and buffered; `wb` appears when it is closed, in the place of
        a file that was there unless `overwrite` is false; `xb` never replaces one; `ab` goes on
        behind the end, and makes a file that is missing. `r`, `w`, `x`, `a` are the same for text,
        in UTF-8 unless `encoding` names another; `errors` and `newline` as in Python. A new file
        gets the bits of `permission`, if any, whatever the umask is.

        A with-block that ends with an exception gives a file opened for writing up, also that of a
        wrapper of the standard library, such as io.TextIOWrapper. A `close` in a `finally` cannot
        know it: call `abandon` there. Raises ValueError for another mode.
        """
        deed, text = parse_mode(mode)
        path = self.absolute(path)
        if not text and (encoding, errors, newline) != (None, None, None):
            raise ValueError(f"mode {mode!r}: bytes have no encoding, errors or newline")
        if deed == "r":
            file: Any = self._buffered_reader(path)
        elif deed == "a":
            file = self.append(path, create=True, replication=replication, block_size=block_size)
        else:
            overwrite = overwrite and deed == "w"
            options = self._options(overwrite, replication, block_size, permission)
            file = self._files.writer(self._files.create(path, options))
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

    def put(
        self,
        local_path: AnyPath,
        path: AnyPath,
        *,
        overwrite: bool = False,
        replication: int = 0,
        block_size: int = 0,
        progress: Optional[Progress] = None,
    ) -> FileStatus:
        """Store a local file; when this returns, it is on its full number of datanodes, synced.

        It is read to its end, whatever size the system tells of it; what is appended meanwhile is
        stored, too. Raises LocalFileError when it becomes shorter.
        """
        from data_service.filesystem.writing.room import Room
        from data_service.filesystem.writing.upload import Upload

        options = self._options(overwrite, replication, block_size)
        upload = Upload(self._files, self.absolute(path), options, progress)
        room = Room(self.datanode_rooms, self.quota_usage)
        parallel = self.settings.client.parallel_blocks
        return upload.from_file(os.fsdecode(local_path), parallel, room)

    def put_stream(
        self,
        stream: BinaryIO,
        path: AnyPath,
        *,
        overwrite: bool = False,
        replication: int = 0,
        block_size: int = 0,
        progress: Optional[Progress] = None,
    ) -> FileStatus:
        """Store what `stream` yields, of any length; `progress` is told 0 as the total."""
        from data_service.filesystem.writing.upload import Upload

        options = self._options(overwrite, replication, block_size)
        upload = Upload(self._files, self.absolute(path), options, progress)
        return upload.from_stream(stream, "standard input")

    def append(
        self, path: AnyPath, *, create: bool = False, replication: int = 0, block_size: int = 0
    ) -> Any:
        """A file as a Python io object: what is written goes behind its end.

        With `create` one that is missing is made. Until it is closed (or `hflush` is called)
        readers see what was there before. Raises AlreadyBeingCreated when another client writes
        the file.
        """
        options = self._options(False, replication, block_size) if create else None
        return self._files.writer(self._files.append(self.absolute(path), options))

    def truncate(self, path: AnyPath, length: int) -> None:
        """Shorten a file to `length` bytes; readers see the old content or the new one.

        The one block that the new end lies in is written anew. Raises InvalidArgument when the
        file is shorter, AlreadyBeingCreated when another client writes it.
        """
        path = self.absolute(path)
        self._files.truncate(path, length, self._block_reader(path))

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

    def _connect(
        self, credentials: Credentials, on_warning: Callable[[str], None]
    ) -> "Transport":
        from data_service.filesystem.transport import Transport

        return Transport(self._namenode, credentials, self.settings, on_warning)

    @property
    def _files(self) -> "FilesBeingWritten":
        return self._transport().files

    def _options(
        self, overwrite: bool, replication: int, block_size: int, permission: Optional[int] = None
    ) -> "WriteOptions":
        from data_service.filesystem.writing.open_file import WriteOptions

        mode = FILE_MODE & ~self._umask if permission is None else permission
        return WriteOptions(overwrite, replication, block_size, mode)

    def _buffered_reader(self, path: str) -> io.BufferedReader:
        from data_service.filesystem.reading.file_reader import FileReader

        reader = FileReader(self.block_locations(path), self._block_reader(path), path)
        return io.BufferedReader(reader, BUFFER_BYTES)

    def _block_reader(self, path: str) -> "BlockReader":
        return self._transport().reader(self, path, self._as_they_are)


def _warn(sentence: str) -> None:
    log.warning("file.under_replicated", what=sentence)
