"""What programs do with files and trees every day, made of the other methods of a FileSystem."""

import time
from typing import Any, Callable, Iterator, List, Optional, Tuple, Union

from data_service.filesystem import globs
from data_service.filesystem.matching import look, matching
from data_service.filesystem.open_modes import ENCODING
from data_service.filesystem.paths import AnyPath, named, resolve, text_of
from data_service.protocol.files import FileStatus
from zookeeper.fabric.errors import DfsError, IsADirectory, NotADirectory, PathExists

OnError = Callable[[DfsError], object]
Walked = Tuple[str, List[str], List[str]]
"""A directory, the names of directories in it, the names of files in it."""


class Conveniences:
    """The part of FileSystem with the names that os, os.path, shutil and pathlib have taught.

    Paths that are returned are absolute.
    """

    absolute: Callable[[AnyPath], str]
    stat: Callable[[AnyPath], FileStatus]
    list: Callable[[AnyPath], Iterator[FileStatus]]
    mkdir: Callable[..., None]
    open: Callable[..., Any]
    cat: Callable[..., None]
    set_times: Callable[..., None]

    def exists(self, path: AnyPath) -> bool:
        """Whether there is a file or directory at `path`."""
        return look(self, self.absolute(path)) is not None

    def is_dir(self, path: AnyPath) -> bool:
        """Whether there is a directory at `path`."""
        found = look(self, self.absolute(path))
        return found is not None and found.is_directory

    def is_file(self, path: AnyPath) -> bool:
        """Whether there is a file at `path`."""
        found = look(self, self.absolute(path))
        return found is not None and not found.is_directory

    def listdir(self, path: AnyPath = ".") -> List[str]:
        """The names in a directory, sorted. Raises NotADirectory for a file."""
        _, directories, files = self._entries(self.absolute(path))
        return sorted(directories + files, key=str.encode)

    def walk(
        self, top: AnyPath = ".", topdown: bool = True, onerror: Optional[OnError] = None
    ) -> Iterator[Walked]:
        """Each directory of a tree as (path, names of directories, names of files).

        As os.walk, also in that names that are taken out of the first list are not walked into,
        when it is `topdown`. But a directory that cannot be listed raises its error, unless
        `onerror` is there to take it: a part of a tree must not be taken for the whole.
        """
        left: List[Union[str, Walked]] = [self.absolute(top)]
        while left:
            path = left.pop()
            if not isinstance(path, str):
                yield path
                continue
            try:
                found = self._entries(path)
            except DfsError as error:
                if onerror is None:
                    raise
                onerror(error)
                continue
            if topdown:
                yield found
            else:
                left.append(found)
            left += [f"{path.rstrip('/')}/{name}" for name in reversed(found[1])]

    def glob(self, pattern: AnyPath) -> List[str]:
        """The paths that a glob stands for, sorted: `?` `*` `[a-z]` `[!a]` `{a,b}`, `\\` escapes.

        As in HDFS's shell, `*` also matches names that begin with a dot, and `**` is no more than
        `*`: for whole trees there is `walk`. The list is empty when nothing matches.
        """
        text = text_of(pattern)
        if globs.is_glob(text):
            return [*matching(self, text, self.absolute("."))]
        path = resolve(globs.unescape(text), self.absolute("."))
        return [path] if look(self, path) is not None else []

    def makedirs(self, path: AnyPath, mode: Optional[int] = None, exist_ok: bool = False) -> None:
        """Make a directory with those above it; raises PathExists, unless `exist_ok`."""
        name = self.absolute(path)
        above = name.rpartition("/")[0]
        if above and not exist_ok:
            self.mkdir(above, parents=True)
        self.mkdir(name, parents=exist_ok, mode=mode)

    def touch(self, path: AnyPath, exist_ok: bool = True) -> None:
        """Make an empty file, or tell one that is there (or a directory) the time of now."""
        name = self.absolute(path)
        try:
            self.open(name, "xb").close()
        except (PathExists, IsADirectory):
            if not exist_ok:
                raise
            now = int(time.time() * 1000)
            self.set_times(name, now, now)

    def copy(self, source: AnyPath, destination: AnyPath, *, overwrite: bool = True) -> None:
        """Copy the bytes of a file, by way of this machine. The copy appears whole, or not."""
        with self.open(destination, "wb", overwrite=overwrite) as file:
            self.cat(source, file.write)

    def read_bytes(self, path: AnyPath) -> bytes:
        """All of a file."""
        with self.open(path, "rb") as file:
            return bytes(file.read())

    def write_bytes(self, path: AnyPath, data: bytes) -> None:
        """Make or replace a file, at one stroke."""
        with self.open(path, "wb") as file:
            file.write(data)

    def read_text(self, path: AnyPath, encoding: str = ENCODING) -> str:
        """All of a file, as text; its line ends become those of Python."""
        with self.open(path, "r", encoding=encoding) as file:
            return str(file.read())

    def write_text(self, path: AnyPath, text: str, encoding: str = ENCODING) -> None:
        """Make or replace a file with text, at one stroke."""
        with self.open(path, "w", encoding=encoding) as file:
            file.write(text)

    # Within.

    def _entries(self, path: str) -> Walked:
        directories: List[str] = []
        files: List[str] = []
        for status in self.list(path):
            (directories if status.is_directory else files).append(status.name)
        if files == [path.rpartition("/")[2]] and not directories:
            # It may be a file: the listing of one is the file itself.
            self._require_directory(path)
        return path, directories, files

    def _require_directory(self, path: str) -> None:
        if not self.stat(path).is_directory:
            with named(path):
                raise NotADirectory(f"{path} (is not a directory)")
