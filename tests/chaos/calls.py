"""What clients do in which room: drawn at random, carried out with the library, and written down.

A room is a directory in which all contend for the same few names. No call reaches from one room
into another, so that each can be judged by itself.
"""

import io
from random import Random
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from data_service.filesystem import FileSystem
from tests.chaos.contents import Contents
from tests.chaos.history import OK, History
from tests.chaos.model import FILE_MODE, NAME_QUOTAS, SPACE_QUOTAS, State
from tests.simulation.plain_tree import DIRECTORY

REPLICATION = 3
"""No file ever has fewer: what is damaged or dead is always one replica less than that."""

NAMES = ("a", "b", "c", "d")
FLUSHES_MAX = 3
OWNER, STRANGER = "alice", "bob"

Kind = Tuple[str, tuple]


class Room(NamedTuple):
    """A directory, how often which kind of call is made there, and by whom.

    With `nested`, what is got, moved and deleted is sometimes a level deeper: a file that was moved
    into a directory, or a directory with what is in it.
    """

    path: str
    weights: Dict[str, int]
    users: Tuple[str, ...] = ("",)
    nested: bool = False


_READS = {"get": 25, "list": 8, "page": 8}
_TREE = {"put": 25, "write": 8, "rename": 12, "delete": 10, "mkdir": 6, "set_replication": 8}

TREES = tuple(Room(f"/tree-{n}", {**_READS, **_TREE}, nested=True) for n in (0, 1))
EDITS = Room("/edits", {
    **_READS, "put": 15, "write": 12, "append": 20, "truncate": 12, "concat": 10, "rename": 6,
    "delete": 4, "set_replication": 4,
})  # fmt: skip
LIMITED = Room("/limited", {
    **_READS, "put": 20, "write": 4, "append": 10, "mkdir": 10, "delete": 15, "set_quota": 6,
    "quota": 6, "set_replication": 6,
})  # fmt: skip
PRIVATE = Room("/private", {
    **_READS, "put": 20, "rename": 8, "delete": 8, "mkdir": 6, "set_mode": 12,
}, (OWNER, STRANGER))  # fmt: skip
PLAIN = Room("/plain", {"put": 30, "get": 30, "rename": 12, "delete": 10})
"""Where the command line works, on files only: what it means by a directory is its own matter."""

ROOMS = (*TREES, EDITS, LIMITED, PRIVATE, PLAIN)


def furnish(file_system: FileSystem) -> State:
    """Make the rooms; the state then."""
    state: State = {}
    for room in ROOMS:
        file_system.mkdir(room.path)
        state[room.path] = DIRECTORY
    file_system.set_owner(PRIVATE.path, OWNER)
    file_system.set_mode(PRIVATE.path, 0o755)
    state[f"mode {PRIVATE.path}"] = (OWNER, 0o755)
    quotas = max(NAME_QUOTAS), max(SPACE_QUOTAS)
    file_system.set_quota(LIMITED.path, *quotas)
    state[f"quota {LIMITED.path}"] = quotas
    return state


def furniture(file_system: FileSystem) -> State:
    """What a state holds beside the paths, as the cluster tells it now."""
    status = file_system.stat(PRIVATE.path)
    return {
        f"mode {PRIVATE.path}": (status.owner, status.mode),
        f"quota {LIMITED.path}": quota_of(file_system, LIMITED.path),
    }


def draw(random: Random, room: Room, contents: Contents) -> Kind:
    """What a client does next: a kind of call and its arguments, as `model.py` names them; or
    `write`, which is several of them, see `Client.write`."""
    kind = random.choices(list(room.weights), list(room.weights.values()))[0]
    path, other = (f"{room.path}/{name}" for name in random.sample(NAMES, 2))
    if room.nested and kind in ("get", "delete", "rename") and random.random() < 0.2:
        path, other = f"{path}/{random.choice(NAMES)}", path
    if kind == "rename":
        return kind, (path, other) if random.random() < 0.5 else (other, path)
    if kind in ("list", "quota"):
        return kind, (room.path,)
    if kind == "page":
        return kind, (room.path, random.choice(("", *NAMES)), random.choice((1, 2, 4)))
    if kind == "set_quota":
        return kind, (room.path, random.choice(NAME_QUOTAS), random.choice(SPACE_QUOTAS))
    if kind == "set_mode":
        if random.random() < 0.5:
            return kind, (room.path, random.choice((0o700, 0o711, 0o744, 0o755)))
        return kind, (path, random.choice((FILE_MODE, 0o600)))
    return kind, (path, *_rest(random, kind, other, contents))


def _rest(random: Random, kind: str, other: str, contents: Contents) -> tuple:
    """The arguments behind the path."""
    if kind in ("put", "write"):
        return contents.new(some=kind == "write"), REPLICATION, random.random() < 0.8
    if kind == "append":
        return (contents.new(some=True),)
    if kind == "truncate":
        return (random.choice((0, 1, 5000, max(contents.sizes) // 2, max(contents.sizes))),)
    if kind == "concat":
        return (other,)
    return {"mkdir": (False,), "set_replication": (random.choice((3, 4)),)}.get(kind, ())


class Client:
    """One client with the library. What it does goes into the history."""

    def __init__(
        self,
        name: str,
        file_system: FileSystem,
        user: str,
        history: History,
        contents: Contents,
        pause: Callable[[], bool],
    ) -> None:
        self._name = name
        self._files = file_system
        self._user = user
        self._history = history
        self._contents = contents
        self._pause = pause  # Waits a moment; whether it is time to end.

    def act(self, random: Random, kind: str, args: tuple) -> None:
        """Carry out what was drawn."""
        if kind == "write":
            self.write(random, *args)
        else:
            self._run(kind, args, self._action(kind, args))

    def write(
        self, random: Random, path: str, piece: int, replication: int, overwrite: bool
    ) -> None:
        """Write a new file or behind the end of one, and flush now and then before it is closed.

        Up to the first error: the writer is given up then.
        """
        opened: List[Any] = []
        if random.random() < 0.5:
            number = piece

            def start() -> None:
                one = self._files.open(path, "wb", overwrite=overwrite, replication=replication)
                opened.append(one)
                self._write(one, piece)

            going_on = self._run("start", (path, piece, replication, overwrite), start)
        else:
            number = self._contents.new()
            going_on = self._run(
                "open", (path, number), lambda: opened.append(self._files.append(path))
            )
        for _ in range(random.randrange(FLUSHES_MAX)):
            if going_on and not self._pause():
                more = self._contents.new(some=True)
                going_on = self._run(
                    "flush", (path, number, more), lambda: self._write(opened[0], more)
                )
        if going_on:
            self._run("close", (path, number), opened[0].close)
        elif opened:
            opened[0].abandon()

    def _write(self, writer: Any, piece: int) -> None:
        writer.write(self._contents.data(piece))
        writer.hflush()

    def _run(self, kind: str, args: tuple, action: Callable[[], Any]) -> bool:
        """Whether it was done."""
        return self._history.run(self._name, kind, args, action, self._user).outcome == OK

    def _action(self, kind: str, args: tuple) -> Callable[[], Any]:
        """What carries a call out, and returns what the model of it returns."""
        files, path = self._files, args[0]
        if kind == "put":
            _, piece, replication, overwrite = args
            stream = io.BytesIO(self._contents.data(piece))
            return lambda: _nothing(files.put_stream(
                stream, path, overwrite=overwrite, replication=replication))
        return {
            "get": lambda: self._contents.key_of(read(files, path)),
            "list": lambda: rows_of(files.list(path)),
            "page": lambda: page_of(files, *args),
            "delete": lambda: files.delete(path, recursive=True),
            "rename": lambda: files.rename(*args),
            "mkdir": lambda: files.mkdir(*args),
            "set_replication": lambda: files.set_replication(*args),
            "append": lambda: self._append(*args),
            "truncate": lambda: files.truncate(*args),
            "concat": lambda: files.concat(*args),
            "set_mode": lambda: files.set_mode(*args),
            "set_quota": lambda: files.set_quota(*args),
            "quota": lambda: quota_of(files, path),
        }[kind]

    def _append(self, path: str, piece: int) -> None:
        with self._files.append(path) as writer:
            writer.write(self._contents.data(piece))


def read(file_system: FileSystem, path: str) -> bytes:
    """The whole of a file."""
    with file_system.open(path) as file:
        return file.read()


def rows_of(statuses: Any) -> tuple:
    """A directory's children as the model's `list` tells of them."""
    return tuple(
        (status.name, "d") if status.is_directory else (status.name, "f", status.replication)
        for status in statuses
    )


def page_of(file_system: FileSystem, path: str, after: str, limit: int) -> tuple:
    """A page of a listing, smaller than those that the library asks for."""
    rows, more = file_system._namenode.calls.list(path, after, limit)
    return rows_of(rows), more


def quota_of(file_system: FileSystem, path: str) -> Tuple[Optional[int], Optional[int]]:
    """The quotas of a directory: names and space."""
    usage = file_system.quota_usage(path)
    return usage.name_quota, usage.space_quota


def _nothing(_result: object) -> None:
    """For a call whose result no model tells."""
