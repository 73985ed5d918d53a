"""The trash: where `rm` puts things, so that a person can have them back.

Each user has one, /user/<user>/.Trash. `Current` in it holds what was removed lately, each path
below it as it was below `/`. A checkpoint is a `Current` that was closed and renamed to the moment
when that was done; `expunge` makes them, and deletes those that are too old. Putting things into
the trash is a rename, so it costs nothing, whatever their size.
"""

import calendar
import re
import time
from typing import Optional

from data_service.filesystem.matching import look
from data_service.shell.arguments import paths
from data_service.shell.arguments.cluster_store import ClusterStore
from data_service.shell.arguments.definitions import TRASH_MINUTES
from data_service.shell.arguments.items import Item
from data_service.shell.failures import FATAL
from data_service.shell.session import Session
from data_service.shell.streams import complain
from zookeeper.fabric.errors import DfsError, NotADirectory, PathExists, PathNotFound

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


def minutes_of(session: Session) -> int:
    """How long things stay in the trash, by -D or else config.ini; 0 when there is no trash."""
    usual = session.filesystem.settings.client.trash_minutes
    return session.definitions.number(TRASH_MINUTES, usual)


class Trash:
    """The trash of the user who runs the session's command."""

    def __init__(self, session: Session, minutes: int) -> None:
        self._session = session
        self._minutes = minutes
        self._store: ClusterStore = session.places.cluster
        self._root = f"/user/{session.places.user}/.Trash"
        self._current = f"{self._root}/{CURRENT}"

    def __repr__(self) -> str:
        return f"<Trash {self._root} {self._minutes} minutes>"

    @classmethod
    def of(cls, session: Session) -> "Optional[Trash]":
        """The trash, if `rm` is to use it."""
        minutes = minutes_of(session)
        return cls(session, minutes) if minutes > 0 else None

    def take(self, item: Item) -> bool:
        """Move something here; False when it must be deleted instead, as what is here already.

        Raises an error when it can be neither. What is on this machine's disk is not taken.
        """
        if item.store.is_local or _is_below(item.path, self._root):
            return False
        if _is_below(self._root, item.path):
            raise DfsError(
                f'Cannot move "{item.full}" to the trash, as it contains the trash. '
                "Consider using -skipTrash option"
            )
        try:
            place = self._move(item)
        except FATAL + (PathNotFound,):
            raise
        except DfsError as error:
            raise DfsError(
                f"Failed to move to trash: {item.full}: {error.message}. "
                "Consider using -skipTrash option"
            ) from error
        complain(f"Moved: '{item.full}' to trash at: {self._store.uri}{place}")
        return True

    def _move(self, item: Item) -> str:
        """Rename into the trash; where it is now. A name that is taken gets the time behind it."""
        above = self._current + paths.parent(item.path).rstrip("/")
        self._make_home()
        for _ in range(ATTEMPTS):
            try:
                self._store.mkdir(above, parents=True, mode=DIRECTORY_MODE)
            except (NotADirectory, PathExists):
                # Before there was this directory, a file of its name was removed.
                above = self._beside_file(above)
                continue
            target = f"{above}/{item.name}"
            if look(self._store, target) is not None:
                target = f"{above}/{_timed(item.name)}"
            try:
                self._store.rename(item.path, target)
                return target
            except PathExists:
                continue
            except PathNotFound:
                # Either the item went away, or the trash was closed between the two calls.
                if look(self._store, item.path) is None:
                    raise
        raise DfsError("others change the trash at the same time")

    def _make_home(self) -> None:
        """Make the home directory, if it is missing, and with what is above it, as mkdir does.

        Only the trash is for its user alone. HDFS gives its mode to everything that it makes on
        the way, and so closes /user, which is everybody's, to everybody else.
        """
        home = paths.parent(self._root)
        if look(self._store, home) is None:
            self._store.mkdir(home, parents=True)

    def _beside_file(self, path: str) -> str:
        """The path, with the time behind the first component that is a file."""
        names = path.split("/")
        for count in range(2, len(names) + 1):
            above = "/".join(names[:count])
            status = look(self._store, above)
            if status is not None and not status.is_directory:
                return "/".join(names[: count - 1] + [_timed(names[count - 1])] + names[count:])
        return path

    def checkpoint(self) -> None:
        """Close `Current`, if there is one, under the time of now."""
        if look(self._store, self._current) is None:
            return
        # UTC, so that all who share a trash mean the same moment, wherever they are.
        name = time.strftime(CHECKPOINT_FORMAT, time.gmtime())
        for attempt in range(CHECKPOINTS_PER_SECOND):
            place = f"{self._root}/{name}" + (f"-{attempt}" if attempt else "")
            try:
                self._store.rename(self._current, place)
                return
            except PathExists:
                continue
        raise DfsError(f"Failed to checkpoint trash: {self._current}")

    def delete_checkpoints(self, of_any_age: bool = False) -> None:
        """Delete the checkpoints that are older than the trash keeps things."""
        if look(self._store, self._root) is None:
            return
        limit = time.time() - self._minutes * 60
        for status in list(self._store.list(self._root)):
            moment = _moment(status.name)
            if moment is not None and (of_any_age or moment < limit):
                path = f"{self._root}/{status.name}"
                self._session.attempt(lambda: self._store.delete(path, recursive=True), path)


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
