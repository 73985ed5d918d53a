"""What every call should do and answer, as functions of one small state.

A state is a dictionary. Paths lead to nodes: `("d",)`, or `("f", content, replication, mode)`,
where the content is a key of `contents.py`. Beside them stand `quota /room`: how many names and
bytes a room may have; and `mode /room`: its owner and its mode. A file that is open to append has
one thing more, an identity, for it may be renamed meanwhile; `writer N` says which one the open
writer N writes. What nobody can tell apart any more is the same state, which keeps searches short:
so there are no identities and no writers that nobody needs.

Some calls are more than one event. Who appends or truncates opens the file at one moment and
changes it at a later one, and the file may have been renamed in between: `steps_of` says of which
events a call consists.
"""

from typing import Any, Callable, Dict, List, Optional, Tuple

from tests.chaos.contents import Contents
from tests.chaos.history import OK, UNKNOWN, Call
from tests.simulation import plain_tree
from tests.simulation.plain_tree import DIRECTORY
from zookeeper.fabric import errors

State = Dict[str, tuple]
Answer = Tuple[Any, State]

FILE_MODE = 0o644
NAME_QUOTAS = (6, 8)
SPACE_QUOTAS = (20 << 16, 32 << 16)
"""What a limited room may be given. A file that is being written was promised its place under the
quota of an earlier moment, so that only the largest of them is sure to hold."""

_READ, _WRITE, _EXECUTE = 4, 2, 1


def writer(number: int) -> str:
    """The entry of a state for an open writer."""
    return f"writer {number}"


def visible(state: State) -> State:
    """What of a state anybody can see while nobody writes."""
    seen = {}
    for name, node in state.items():
        if not name.startswith("writer "):
            seen[name] = node[:4] if node[0] == "f" else node
    return seen


def _settled(state: State) -> State:
    """A state without the writers of files that are gone, and the identities that nobody needs."""
    written = {node[0] for name, node in state.items() if name.startswith("writer ")}
    if not written:
        return state if all(len(node) < 5 for node in state.values()) else visible(state)
    there = {node[4] for node in state.values() if node[0] == "f" and len(node) > 4}
    kept = {}
    for name, node in state.items():
        if name.startswith("writer "):
            if node[0] in there:
                kept[name] = node
        else:
            kept[name] = node if len(node) < 5 or node[4] in written else node[:4]
    return kept


def steps_of(call: Call) -> List[Call]:
    """The events of a call; each has a moment of its own, in this order."""
    if call.outcome not in (OK, UNKNOWN) or call.kind not in ("append", "truncate"):
        return [call]
    path, amount = call.args
    deed = "extend" if call.kind == "append" else "cut"
    number = -call.number  # No client's writer has it.
    return [
        call._replace(kind="open", args=(path, number)),
        call._replace(kind=deed, args=(path, number, amount)),
    ]


class Model:
    """The kinds of calls, with the contents that they make."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._kinds: Dict[str, Callable[..., Answer]] = dict(
            mkdir=self._mkdir, rename=self._rename, delete=self._delete, put=self._put,
            start=self._start, open=self._open, flush=self._flush, extend=self._extend,
            close=self._close, cut=self._cut, append=self._append, truncate=self._truncate,
            concat=self._concat,
            set_replication=self._set_replication, set_mode=self._set_mode,
            set_quota=self._set_quota, get=self._get, list=self._list, page=self._page,
            quota=self._quota,
        )  # fmt: skip

    def apply(self, call: Call, state: State) -> Answer:
        """What a call answers in this state (or the class of its error), and the state then."""
        if call.user:
            refusal = _forbidden(state, call)
            if refusal is not None:
                return refusal, state
        result, after = self._kinds[call.kind](state, *call.args)
        return result, state if after is state else _settled(after)

    # Files.

    def _put(
        self, state: State, path: str, piece: int, replication: int, overwrite: bool
    ) -> Answer:
        """A file appears, or takes another's place, in a directory that exists."""
        if state.get(path) == DIRECTORY:
            return errors.IsADirectory, state
        if path in state and not overwrite:
            return errors.PathExists, state
        new = ("f", self._contents.piece(piece), replication, FILE_MODE)
        return self._within_quota(dict(state, **{path: new}), path)

    def _start(self, state: State, path: str, piece: int, *options: Any) -> Answer:
        """As a put, of a file that its writer goes on writing."""
        result, after = self._put(state, path, piece, *options)
        if result is None:
            after = {**after, path: (*after[path], piece), writer(piece): (piece,)}
        return result, after

    def _open(self, state: State, path: str, number: int) -> Answer:
        """A writer for a file that exists."""
        node, error = _file(state, path)
        if error is not None:
            return error, state
        if len(node) < 5:
            node = (*node, number)
        return None, {**state, path: node, writer(number): (node[4],)}

    def _flush(self, state: State, _path: str, number: int, piece: int) -> Answer:
        """What a writer wrote is behind the end of its file, wherever that is now."""
        return self._rewrite(
            state, number, lambda old: self._contents.joined(old, self._contents.piece(piece))
        )

    def _extend(self, state: State, path: str, number: int, piece: int) -> Answer:
        """As a flush, the last of its writer."""
        result, after = self._flush(state, path, number, piece)
        return result, _without_writer(after, number)

    def _cut(self, state: State, _path: str, number: int, length: int) -> Answer:
        """The file of a writer has its first bytes only, and the writer goes."""
        result, after = self._rewrite(state, number, lambda old: self._contents.cut(old, length))
        return result, _without_writer(after, number)

    def _close(self, state: State, _path: str, number: int) -> Answer:
        """A writer that wrote nothing more goes."""
        result, after = self._rewrite(state, number, lambda old: old)
        return result, _without_writer(after, number)

    def _rewrite(self, state: State, number: int, change: Callable[[str], str]) -> Answer:
        identity = state.get(writer(number), (None,))[0]
        for path, node in state.items():
            if node[0] == "f" and len(node) > 4 and node[4] == identity:
                content = change(node[1])
                if self._contents.length(content) > self._contents.length(node[1]):
                    return self._within_quota(_changed(state, path, 1, content), path)
                return None, _changed(state, path, 1, content)
        return errors.LeaseExpired, state

    def _append(self, state: State, path: str, _piece: int) -> Answer:
        return _file(state, path)[1], state

    def _truncate(self, state: State, path: str, length: int) -> Answer:
        """Only why it would be refused: see `steps_of`."""
        node, error = _file(state, path)
        if error is None and length > self._contents.length(node[1]):
            error = errors.InvalidArgument
        return error, state

    def _concat(self, state: State, path: str, *sources: str) -> Answer:
        """Sources become the end of a file, and are gone."""
        target, error = _file(state, path)
        contents = []
        for source in sources:
            node, wrong = _file(state, source)
            error = error or wrong
            if not error and (source == path or not self._contents.length(node[1])):
                error = errors.InvalidArgument
            contents.append(node[1] if node else "")
        if not error and len(set(sources)) < len(sources):
            error = errors.InvalidArgument
        if error is not None:
            return error, state
        after = _changed(state, path, 1, self._contents.joined(target[1], *contents))
        return None, {name: node for name, node in after.items() if name not in sources}

    def _set_replication(self, state: State, path: str, count: int) -> Answer:
        node, error = _file(state, path)
        if error is not None:
            return error, state
        after = _changed(state, path, 2, count)
        return self._within_quota(after, path) if count > node[2] else (None, after)

    # Rooms, and what is in them.

    def _mkdir(self, state: State, path: str, parents: bool) -> Answer:
        result, after = _operated(state, "mkdir", path, parents)
        if result is None and after != state:
            room = _room_of(path)
            names = state.get(f"quota {room}", (None,))[0]
            if names is not None and used(self._contents, after, room)[0] > names:
                return errors.QuotaExceeded, state
        return result, after

    def _delete(self, state: State, path: str) -> Answer:
        """Below a file there is nothing to delete."""
        result, after = _operated(state, "delete", path)
        return False if result is errors.NotADirectory else result, after

    def _rename(self, state: State, source: str, target: str) -> Answer:
        return _operated(state, "rename", source, target)

    def _set_mode(self, state: State, path: str, mode: int) -> Answer:
        if f"mode {path}" in state:
            owner, _ = state[f"mode {path}"]
            return None, dict(state, **{f"mode {path}": (owner, mode)})
        node = state.get(path)
        if node is None:
            return errors.PathNotFound, state
        return None, state if node == DIRECTORY else _changed(state, path, 3, mode)

    def _set_quota(self, state: State, path: str, names: int, space: int) -> Answer:
        return None, dict(state, **{f"quota {path}": (names, space)})

    def _quota(self, state: State, path: str) -> Answer:
        """The quotas of a room."""
        return state[f"quota {path}"], state

    def _within_quota(self, after: State, path: str) -> Answer:
        """The answer of a call that brings more into a room: an error when it cannot have been."""
        room = _room_of(path)
        if f"quota {room}" in after:
            names, space = used(self._contents, after, room)
            if names > max(NAME_QUOTAS) or space > max(SPACE_QUOTAS):
                return errors.QuotaExceeded, after
        return None, after

    # Reads.

    def _get(self, state: State, path: str) -> Answer:
        """The key of a file's content."""
        node, error = _file(state, path)
        if error == errors.PathNotFound and _parent_is_no_directory(state, path):
            error = errors.NotADirectory
        return error or node[1], state

    def _list(self, state: State, path: str) -> Answer:
        """What `list` tells of each child of a directory: all but a file's content."""
        return tuple(_rows(state, path)), state

    def _page(self, state: State, path: str, after: str, limit: int) -> Answer:
        """So many of the children behind a name, and whether there are more."""
        rows = [row for row in _rows(state, path) if row[0] > after]
        return (tuple(rows[:limit]), len(rows) > limit), state


def used(contents: Contents, state: State, room: str) -> Tuple[int, int]:
    """The names and the bytes, of all replicas, that count for the quotas of a room."""
    inside = [node for name, node in state.items() if name.startswith(room + "/")]
    space = sum(contents.length(node[1]) * node[2] for node in inside if node[0] == "f")
    return 1 + len(inside), space


def _operated(state: State, kind: str, *args: Any) -> Answer:
    """What the plain tree says of an operation; what is not at a path stays."""
    view = {name: node for name, node in state.items() if name.startswith("/")}
    result, after = plain_tree.after(view, kind, *args)
    if after is view:
        return result, state
    return result, {**{name: state[name] for name in state.keys() - view.keys()}, **after}


def _rows(state: State, path: str) -> List[tuple]:
    rows = []
    for other, node in sorted(state.items()):
        if other.startswith("/") and _parent_of(other) == path:
            kind = ("d",) if node == DIRECTORY else ("f", node[2])
            rows.append((other.rpartition("/")[2], *kind))
    return rows


def _file(state: State, path: str) -> Tuple[tuple, Optional[type]]:
    node = state.get(path)
    if node == DIRECTORY:
        return (), errors.IsADirectory
    if node is not None:
        return node, None
    return (), errors.NotADirectory if _parent_is_no_directory(state, path) else errors.PathNotFound


def _parent_of(path: str) -> str:
    return path.rpartition("/")[0]


def _parent_is_no_directory(state: State, path: str) -> bool:
    return state.get(_parent_of(path), DIRECTORY) != DIRECTORY


def _changed(state: State, path: str, place: int, value: Any) -> State:
    node = state[path]
    return dict(state, **{path: (*node[:place], value, *node[place + 1 :])})


def _without_writer(state: State, number: int) -> State:
    return {name: node for name, node in state.items() if name != writer(number)}


def _room_of(path: str) -> str:
    return "/" + path.split("/")[1]


def _forbidden(state: State, call: Call) -> Optional[type]:
    """Why this user is refused, before anything else is looked at; None when that is not so."""
    path = call.args[0]
    owner, mode = state[f"mode {_room_of(path)}"]
    if call.user == owner:
        return None
    denied = errors.PermissionDenied
    if call.kind in ("list", "page"):
        return None if mode & _READ and mode & _EXECUTE else denied
    if f"mode {path}" in state or not mode & _EXECUTE:
        return denied
    node = state.get(path)
    if call.kind == "get":
        readable = node is None or node == DIRECTORY or node[3] & _READ
        return None if readable else denied
    if call.kind == "put" and node == DIRECTORY:
        return errors.IsADirectory
    # To make needs write on the directory; to change or to take away needs that there is something.
    makes = call.kind == "put" or call.kind == "mkdir" and node is None
    takes = call.kind in ("delete", "rename", "set_mode") and node is not None
    return denied if (makes or takes) and not mode & _WRITE else None
