"""The trash: where removed things lie for a while, so that a person can have them back.

Each user has one, /user/<user>/.Trash. `Current` in it holds what was removed lately, each path
below it as it was below `/`. A checkpoint is a `Current` that was closed and renamed to the moment
when that was done; `expunge` makes them, and deletes those that are too old. Putting things into
the trash is a rename, so it costs nothing, whatever their size.
"""

import calendar
import re
import time
from functools import partial
from typing import Any, Callable, List, Optional, Tuple

from data_service.filesystem.matching import look
from data_service.filesystem.paths import normalise, parent
from zookeeper.fabric.errors import (
    DfsError,
    InvalidArgument,
    NotADirectory,
    PathExists,
    PathNotFound,
)

CURRENT = "Current"
DIRECTORY_MODE = 0o700
CHECKPOINT_FORMAT = "%y%m%d%H%M%S"
_CHECKPOINT = re.compile(r"([0-9]{12})(?:-[0-9]{1,3})?", re.ASCII)
"""`strptime` takes fewer digits, too, and `20261127` is a name that a person may have given."""

NAME_BYTES_MAX = 255
"""The most that the cluster, like most disks, takes for one name."""

CHECKPOINTS_PER_SECOND = 1000
ATTEMPTS = 10
"""How often a move is tried again because somebody else moved something at the same moment."""

Attempt = Callable[[Callable[[], object], str], object]


def at_once(deed: Callable[[], object], _path: str) -> None:
    """The plainest Attempt: what fails is raised."""
    deed()


class HoldsTheTrash(DfsError):
    """What was to go into the trash has the trash in it."""

    code = "holds_the_trash"


class Trash:
    """The trash of the user who is at `home`, in a store: what has a FileSystem's `stat`, `list`,
    `mkdir`, `rename` and `delete`. Things stay in it for `minutes`."""

    def __init__(self, store: Any, home: str, minutes: int) -> None:
        self._store = store
        self._home = home
        self._minutes = minutes
        self.root = root_of(home)
        self.current = f"{self.root}/{CURRENT}"

    def __repr__(self) -> str:
        return f"<Trash {self.root} {self._minutes} minutes>"

    def put(self, path: str) -> Optional[str]:
        """Move what is at a path here; where it is now, None for what is here already.

        Raises HoldsTheTrash for what the trash is in, PathNotFound and what else stood in its way.
        """
        if _is_below(path, self.root):
            return None
        if _is_below(self.root, path):
            raise HoldsTheTrash(f'Cannot move "{path}" to the trash, as it contains the trash.')
        return self._move(path)

    def restore(self, path: str) -> str:
        """Move what lies here back to where it was removed from, and tell where that is.

        Directories that are missing on the way are made. Raises PathExists when something is there
        by now, InvalidArgument for what does not lie here.
        """
        path = normalise(path)
        checkpoint, _, rest = path[len(self.root) + 1 :].partition("/")
        if not _is_below(path, self.root) or not rest or not _is_checkpoint(checkpoint):
            raise InvalidArgument(f"{path} is not a thing in the trash {self.root}")
        target = f"/{rest}"
        above = parent(target)
        if look(self._store, above) is None:
            self._store.mkdir(above, parents=True)
        self._store.rename(path, target)
        return target

    def _move(self, path: str) -> str:
        """Rename into the trash; where it is now. A name that is taken gets the time behind it."""
        above, name = self.current + parent(path).rstrip("/"), path.rpartition("/")[2]
        self._make_home()
        for _ in range(ATTEMPTS):
            try:
                self._store.mkdir(above, parents=True, mode=DIRECTORY_MODE)
            except (NotADirectory, PathExists):
                # Before there was this directory, a file of its name was removed.
                above = self._beside_file(above)
                continue
            target = f"{above}/{name}"
            if look(self._store, target) is not None:
                target = f"{above}/{_timed(name)}"
            try:
                self._store.rename(path, target)
                return target
            except PathExists:
                continue
            except PathNotFound:
                # Either the thing went away, or the trash was closed between the two calls.
                if look(self._store, path) is None:
                    raise
        raise DfsError("others change the trash at the same time")

    def _make_home(self) -> None:
        """Make the home directory, if it is missing, and with what is above it, as mkdir does.

        Only the trash is for its user alone. HDFS gives its mode to everything that it makes on
        the way, and so closes /user, which is everybody's, to everybody else.
        """
        if look(self._store, self._home) is None:
            self._store.mkdir(self._home, parents=True)

    def _beside_file(self, path: str) -> str:
        """The path, with the time behind the first component that is a file."""
        names = path.split("/")
        for count in range(2, len(names) + 1):
            above = "/".join(names[:count])
            status = look(self._store, above)
            if status is not None and not status.is_directory:
                return "/".join(names[: count - 1] + [_timed(names[count - 1])] + names[count:])
        return path

    def expunge(self, attempt: Attempt = at_once, everything: bool = False) -> None:
        """Close `Current`, and delete the checkpoints that are too old, or with `everything` all,
        that one with them. `attempt`: see `delete_checkpoints`."""
        if everything:
            self.checkpoint()
        self.delete_checkpoints(attempt, of_any_age=everything)
        if not everything:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Close `Current`, if there is one, under the time of now."""
        if look(self._store, self.current) is None:
            return
        # UTC, so that all who share a trash mean the same moment, wherever they are.
        name = time.strftime(CHECKPOINT_FORMAT, time.gmtime())
        for attempt in range(CHECKPOINTS_PER_SECOND):
            place = f"{self.root}/{name}" + (f"-{attempt}" if attempt else "")
            try:
                self._store.rename(self.current, place)
                return
            except PathExists:
                continue
        raise DfsError(f"Failed to checkpoint trash: {self.current}")

    def checkpoints(self) -> List[Tuple[str, float]]:
        """The name of each checkpoint, with when it was made, in seconds since 1970."""
        if look(self._store, self.root) is None:
            return []
        moments = ((status.name, _moment(status.name)) for status in self._store.list(self.root))
        return [(name, moment) for name, moment in moments if moment is not None]

    def delete_checkpoints(self, attempt: Attempt, of_any_age: bool = False) -> None:
        """Delete the checkpoints that are older than the trash keeps things.

        `attempt` is given each deletion with the path that it is about, and carries it out.
        """
        limit = time.time() - self._minutes * 60
        for name, moment in self.checkpoints():
            if of_any_age or moment < limit:
                path = f"{self.root}/{name}"
                attempt(partial(self._store.delete, path, recursive=True), path)


def root_of(home: str) -> str:
    """Where the trash of the user is who is at home there."""
    return f"{home}/.Trash"


def _is_checkpoint(name: str) -> bool:
    return name == CURRENT or _moment(name) is not None


def _moment(name: str) -> Optional[float]:
    """When a checkpoint of this name was made; None for what is no checkpoint."""
    found = _CHECKPOINT.fullmatch(name)
    try:
        return calendar.timegm(time.strptime(found.group(1), CHECKPOINT_FORMAT)) if found else None
    except (ValueError, OverflowError):
        return None


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def _timed(name: str) -> str:
    """A name with the time behind it; what a name has no room for goes."""
    moment = str(_wall_ms())
    room = NAME_BYTES_MAX - len(moment)
    return name.encode("utf-8")[:room].decode("utf-8", "ignore") + moment


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
