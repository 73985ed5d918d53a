"""A random walk of commands in one process, step by step against a plain tree."""

from pathlib import Path
from random import Random
from typing import Any, Callable, List, Tuple

import pytest

from data_service.shell import connections
from tests.support.clusters.cluster import Cluster
from tests.support.terminal.shell import Result, run_in_process
from tests.support.models.command_model import CommandModel
from tests.support.models.nodes import File
from zookeeper.fabric.errors import DfsError

BLOCK = 4096
SIZES = (0, 1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5)
NAMES = ("a", "b", "c.d", "é f")
STEPS = 400
COMPARE_EVERY = 25


class Walk:
    """One walk below `top`: each step is a command line and what the model says to it."""

    def __init__(self, cluster: Cluster, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.model = CommandModel(replication=2)
        self.history: List[Tuple[str, ...]] = []
        self._config = str(cluster.config)
        self._folder = folder
        self.top = f"/walk{seed}"
        self.good("mkdir", self.top)

    def run(self, *argv: str) -> Result:
        """Run a command line of the walk."""
        self.history.append(argv)
        generic = ["--config", self._config, "-D", f"dfs.blocksize={BLOCK}"]
        return run_in_process([*generic, "-D", "dfs.replication=2", *argv])

    def good(self, *argv: str) -> str:
        """Run what must succeed; its standard output."""
        result = self.run(*argv)
        assert (result.status, result.err) == (0, ""), f"{result}\n{self.history}"
        return result.out

    def path(self) -> str:
        """A path of the model: below the walk's own directory, often one that exists."""
        known = [path for path, _ in self.model.walk()]
        if known and self.random.random() < 0.7:
            return self.random.choice(known)
        names = self.random.choices(NAMES, k=self.random.randint(1, 3))
        return "/" + "/".join(names)

    def paths(self, count: int, kind: type) -> List[str]:
        """Up to `count` different paths of files or of directories that exist."""
        known = [path for path, node in self.model.walk() if isinstance(node, kind)]
        return self.random.sample(known, min(count, len(known)))

    def step(self) -> None:
        """One random command, compared with the model's answer to it."""
        deed = self.random.choice(DEEDS)
        argv, expected = deed(self)
        try:
            expected()
            refused = False
        except DfsError:
            refused = True
        result = self.run(*argv)
        told = f"{argv} gave {result}; refused={refused}\n{self.history}"
        assert (result.status == 1) == refused, told
        assert (result.err != "") == refused, told

    def compare(self) -> None:
        """Everything that can be seen of the tree is what the model has."""
        seen = self.good("find", self.top).splitlines()
        nodes = dict(self.model.walk())
        assert sorted(seen) == sorted([self.top, *(self.top + path for path in nodes)])
        for path, node in nodes.items():
            assert self.counted(path) == self.model.count(path), f"{path}\n{self.history}"
            if isinstance(node, File):
                told = self.good("stat", "%b %r %F", self.top + path).split(maxsplit=2)
                assert told == [str(len(node.content)), str(node.replication), "regular file\n"]
                assert self.fetched(path) == node.content, f"{path}\n{self.history}"
        assert self.counted("") == self.model.count("/")

    def counted(self, path: str) -> Tuple[int, ...]:
        """What `count` says of a path."""
        return tuple(map(int, self.good("count", self.top + path).split()[:3]))

    def fetched(self, path: str) -> bytes:
        """A file's bytes by `get`."""
        local = self._folder / "fetched"
        self.good("get", "-f", self.top + path, str(local))
        return local.read_bytes()

    def local(self) -> Tuple[Path, bytes]:
        """A new local file, of a name that the model uses too."""
        data = self.random.randbytes(self.random.choice(SIZES))
        local = self._folder / self.random.choice(NAMES)
        local.write_bytes(data)
        return local, data


Step = Tuple[List[str], Callable[[], Any]]


def _mkdir(walk: Walk) -> Step:
    path, parents = walk.path(), walk.random.random() < 0.5
    argv = ["mkdir", *(["-p"] if parents else []), walk.top + path]
    return argv, lambda: walk.model.mkdir(path, parents)


def _put(walk: Walk) -> Step:
    path, overwrite = walk.path(), walk.random.random() < 0.5
    local, data = walk.local()
    argv = ["put", *(["-f"] if overwrite else []), str(local), walk.top + path]
    return argv, lambda: walk.model.put(data, local.name, path, overwrite)


def _copy(walk: Walk) -> Step:
    sources, path = walk.paths(1, File) or ["/missing"], walk.path()
    overwrite = walk.random.random() < 0.5
    argv = ["cp", *(["-f"] if overwrite else []), walk.top + sources[0], walk.top + path]
    return argv, lambda: walk.model.copy(sources[0], path, overwrite)


def _move(walk: Walk) -> Step:
    source, path = walk.path(), walk.path()
    return ["mv", walk.top + source, walk.top + path], lambda: walk.model.move(source, path)


def _remove(walk: Walk) -> Step:
    path, recursive = walk.path(), walk.random.random() < 0.3
    argv = ["rm", "-skipTrash", *(["-r"] if recursive else []), walk.top + path]
    return argv, lambda: walk.model.remove(path, recursive)


def _remove_directory(walk: Walk) -> Step:
    path = walk.path()
    return ["rmdir", walk.top + path], lambda: walk.model.remove_directory(path)


def _touch_empty(walk: Walk) -> Step:
    path = walk.path()
    return ["touchz", walk.top + path], lambda: walk.model.touch_empty(path)


def _set_replication(walk: Walk) -> Step:
    path = (walk.paths(1, File) or ["/missing"])[0]
    number = walk.random.randint(1, 3)
    argv = ["setrep", str(number), walk.top + path]
    return argv, lambda: walk.model.set_replication(path, number)


def _append(walk: Walk) -> Step:
    path = walk.path()
    local, data = walk.local()
    argv = ["appendToFile", str(local), walk.top + path]
    return argv, lambda: walk.model.append(path, data)


def _truncate(walk: Walk) -> Step:
    files = walk.paths(1, File)
    path = files[0] if files else "/missing"
    length = walk.random.randint(0, len(walk.model.file(path).content)) if files else 0
    return ["truncate", str(length), walk.top + path], lambda: walk.model.truncate(path, length)


def _concat(walk: Walk) -> Step:
    files = walk.paths(10, File) or ["/missing"]
    above = files[0].rpartition("/")[0]
    beside = [path for path in files if path.rpartition("/")[0] == above]
    target, *sources = (beside + 2 * ["/missing"])[: max(3, len(beside))]
    argv = ["concat", *(walk.top + path for path in (target, *sources))]
    return argv, lambda: walk.model.concat(target, sources)


DEEDS: List[Callable[[Walk], Step]] = [
    _mkdir, _mkdir, _put, _put, _put, _copy, _move, _move, _remove, _remove_directory,
    _touch_empty, _set_replication, _append, _append, _truncate, _concat,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_walk_of_commands_agrees_with_a_plain_tree(
    shared_cluster: Cluster, tmp_path: Path, seed: int
) -> None:
    walk = Walk(shared_cluster, tmp_path, seed)
    try:
        for step in range(1, STEPS + 1):
            walk.step()
            if step % COMPARE_EVERY == 0:
                walk.compare()
        assert any(isinstance(node, File) for _, node in walk.model.walk()), "an empty walk"
    finally:
        connections.forget()

