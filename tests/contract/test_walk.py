"""Random walks: whatever programs do, both worlds answer the same and come to the same."""

from random import Random
from typing import Any, Callable, List, Optional, Set, Tuple

import pytest

from data_service.filesystem import PathExists, PathNotFound, PermissionDenied
from tests.contract.worlds import HERE, Memory, World, at, outcome, tree
from tests.support.models.memory_file_system import MemoryFileSystem

STEPS = 300
NAMES = ("a", "b", "é")
USERS = ("alice", "bob", "carol")

Deed = Callable[[Any], Any]


class Walk:
    """Random deeds below HERE, each told in words, of a random user's."""

    def __init__(self, seed: int, memory: MemoryFileSystem) -> None:
        self.random = Random(seed)
        self._memory = memory

    def path(self) -> str:
        """A path, most often one that is there or could be made."""
        known = [path for path in self._memory.tree() if path.startswith(at("x")[:-1])]
        if known and self.random.random() < 0.4:
            return self.random.choice(known)
        above = [path for path in known if self._memory.stat(path).is_directory]
        if self.random.random() < 0.9:
            return f"{self.random.choice([HERE, *above])}/{self.random.choice(NAMES)}"
        return at("/".join(self.random.choices(NAMES, k=3)))

    def directory(self) -> str:
        """A directory, if there is one."""
        known = [path for path in self._memory.tree() if self._memory.stat(path).is_directory]
        return self.random.choice([path for path in known if path != HERE] or [HERE])

    def step(self) -> Tuple[str, str, Deed]:
        """Who does what: the user ("" for the superuser), the deed in words, and the deed."""
        user = self.random.choice(("", "", *USERS))
        kind = self.random.choice(DEEDS)
        return user, *kind(self)


def _call(method: str, *args: Any, **options: Any) -> Tuple[str, Deed]:
    words = f"{method}{args} {options or ''}"
    return words, lambda fs: getattr(fs, method)(*args, **options)


def _mkdir(walk: Walk) -> Tuple[str, Deed]:
    return _call("mkdir", walk.path(), parents=walk.random.random() < 0.5)


def _write(walk: Walk) -> Tuple[str, Deed]:
    return _call("write_bytes", walk.path(), walk.random.randbytes(walk.random.choice((0, 1, 9))))


def _append(walk: Walk) -> Tuple[str, Deed]:
    path, data = walk.path(), walk.random.randbytes(walk.random.choice((0, 3)))

    def append(fs: Any) -> None:
        with fs.open(path, "ab") as file:
            file.write(data)

    return f"append {path} {data!r}", append


def _truncate(walk: Walk) -> Tuple[str, Deed]:
    return _call("truncate", walk.path(), walk.random.choice((0, 0, 1, 5)))


def _delete(walk: Walk) -> Tuple[str, Deed]:
    return _call("delete", walk.path(), recursive=walk.random.random() < 0.5)


def _rename(walk: Walk) -> Tuple[str, Deed]:
    return _call("rename", walk.path(), walk.path())


def _concat(walk: Walk) -> Tuple[str, Deed]:
    target = walk.path()
    above = target.rpartition("/")[0]
    names = walk.random.choices(NAMES, k=walk.random.choice((1, 1, 2)))
    return _call("concat", target, *(f"{above}/{name}" for name in names))


def _attribute(walk: Walk) -> Tuple[str, Deed]:
    path, random = walk.path(), walk.random
    return random.choice((
        lambda: _call("set_mode", path, random.choice((0o777, 0o750, 0o705, 0o1777, 0o600))),
        lambda: _call("set_owner", path, random.choice(("", *USERS)), random.choice(("", "new"))),
        lambda: _call("set_replication", path, random.randint(1, 3)),
        lambda: _call("set_times", path, random.randint(0, 9), random.randint(0, 9)),
        lambda: _call("set_mode", walk.directory(), random.choice((0o777, 0o755, 0o1777, 0o571))),
        lambda: _call("set_quota", walk.directory(), random.choice((-1, -1, 1, 3, 5)), -1),
    ))()  # fmt: skip


def _look(walk: Walk) -> Tuple[str, Deed]:
    path = walk.path()
    return walk.random.choice((
        lambda: _call("listdir", path), lambda: _call("read_bytes", path),
        lambda: _call("access", path, walk.random.randrange(8)), lambda: _call("is_dir", path),
        lambda: _call("content_summary", path), lambda: _call("quota_usage", path),
        lambda: _call("glob", f"{path}/*"),
    ))()  # fmt: skip


DEEDS: List[Callable[[Walk], Tuple[str, Deed]]] = [
    _mkdir, _mkdir, _write, _write, _write, _append, _truncate, _delete, _rename, _rename, _concat,
    _attribute, _attribute, _look, _look,
]  # fmt: skip


def attributes(fs: Any) -> List[Tuple[Any, ...]]:
    """What can be seen of everything below HERE, but for times and numbers."""
    return [
        (row.path, row.status.owner, row.status.group, oct(row.status.mode),
         row.status.length, row.status.replication)
        for row in fs.fsck(HERE)
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_both_worlds_answer_the_same(real: World, seed: int) -> None:
    memory = Memory()
    walk = Walk(seed, memory.fs)
    worlds = (memory, real)
    for world in worlds:
        world.fs.mkdir(HERE)
        world.fs.set_mode(HERE, 0o777)
        world.fs.set_owner(HERE, group="staff")
    history: List[str] = []
    kinds: Set[Optional[type]] = set()
    try:
        for _ in range(STEPS):
            user, words, deed = walk.step()
            history.append(f"{user or 'superuser'}: {words}")
            clients = [world.as_user(user) if user else world.fs for world in worlds]
            told = [outcome(lambda: deed(fs)) for fs in clients]
            history[-1] += f" -> {told}"
            assert told[0] == told[1], "\n".join(history)
            kinds.add(told[0][1])
            if len(history) % 10 == 0:
                assert attributes(memory.fs) == attributes(real.fs), "\n".join(history)
        assert tree(memory.fs) == tree(real.fs), "\n".join(history)
        assert {None, PathExists, PathNotFound, PermissionDenied} <= kinds
    finally:
        real.fs.delete(HERE, recursive=True)
