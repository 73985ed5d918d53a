"""The steps of the namespace's random walk that change files which exist."""

from typing import Any, List, Optional, Tuple, Type

from data_service.namenode.namespace.paths import render
from data_service.protocol.files import Tail
from tests.support.models.namespace_model import (
    ROOT,
    ModelFile,
    ModelWriter,
    Names,
    appearing,
    find,
    holder,
    obstacles,
    rivals,
)
from tests.support.models.namespace_walk import Sides
from tests.support.models.quota_model import BLOCK_SIZE, REPLICATION, reservation
from zookeeper.fabric import errors

BLOCKS = 3


class RewritingWalk(Sides):
    """The steps, each done to both sides."""

    def put(self) -> None:
        """A whole new file, of blocks of any length that appends may have left."""
        names = self._likely_file()[:-1] + self.path()[:1]
        node, rest, error = find(self.tree, names)
        if error is not None or not rest or rivals(self.writers, node, rest):
            return
        if obstacles(self.writers, node, rest[:-1]):
            return
        if self.quotas.refusal(node, len(rest), BLOCKS * BLOCK_SIZE * REPLICATION):
            return
        writing, op = self.state.writing, self.op("z")
        opened, _ = self.call(lambda: writing.create(
            ROOT, op, render(names), False, 2, BLOCK_SIZE, 0o644, self.now))
        file = ModelFile(opened.file_id, ())
        for position in range(self.random.randrange(BLOCKS + 1)):
            located, _ = self.call(lambda: writing.add_block(
                "z", opened.file_id, position, (), "", self.now, self.random))
            block = located.block._replace(length=self.random.randint(1, BLOCK_SIZE))
            self.nodes.receive(block, located.targets)
            self.call(lambda: writing.flush(
                ROOT,                 self.op("z"), opened.file_id, [block], self.now, 8))
            file.lengths += (block.length,)
        self.call(lambda: writing.complete(ROOT, self.op("z"), opened.file_id, (), self.now, 8))
        for name in rest[:-1]:
            node = node.setdefault(name, {})
        node[rest[-1]] = file

    def replicate(self) -> None:
        """Set the replication of a file; it must be told afterwards."""
        names = self._likely_file()
        file, error = self._file(names)
        number = self.random.choice((1, 2, 3, 4, 500))
        if error is None:
            more = (number - file.replication) * (self.quotas.use(file)[1] // file.replication)
            error = self.quotas.refusal(find(self.tree, names[:-1])[0], 0, more)
        op, path = self.op(), render(names)
        self.change(lambda: self.state.set_replication(ROOT, op, path, number), error)
        if error is None:
            assert self.state.reading.stat(ROOT, path).result.replication == number
            file.replication = number

    def append(self) -> None:
        """Open a file to write behind its end."""
        names, client = self._likely_file(), self.random.choice(("x", "y"))
        file, error, ended = self._claim(names)
        op, path = self.op(client), render(names)
        opened = self.change(
            lambda: self.state.rewriting.append(ROOT, op, path, self.now), error
        )
        if error is None:
            first, length = len(file.lengths), sum(file.lengths)
            assert opened[3:6] == (first, length, length)
            self._open(client, file, first, ended)

    def truncate(self) -> None:
        """Shorten a file, at or within a block; sometimes to what it has, or more."""
        names, client = self._likely_file(), self.random.choice(("x", "y"))
        file, error, ended = self._claim(names)
        whole = sum(file.lengths) if isinstance(file, ModelFile) else 0
        length = self.random.choice((0, whole, whole + 1, self.random.randint(0, whole)))
        if error is None and length > whole:
            error = errors.InvalidArgument
        op, path = self.op(client), render(names)
        opened = self.change(
            lambda: self.state.rewriting.truncate(ROOT, op, path, length, self.now, 9), error
        )
        if error is not None:
            return
        kept = 0
        while sum(file.lengths[: kept + 1]) <= length and kept < len(file.lengths):
            kept += 1
        if sum(file.lengths[:kept]) == length:
            assert opened is None
            file.lengths = file.lengths[:kept]
            self.writers = [writer for writer in self.writers if writer not in ended]
            return
        assert opened[3:6] == (kept, sum(file.lengths[:kept]), whole)
        self._open(client, file, kept, ended)
        outcome = self.state.rewriting.cut_block(client, file.file_id)
        assert outcome.result.block.length == file.lengths[kept]

    def concat(self) -> None:
        """Move the blocks of files behind those of another."""
        names = self._likely_file()
        above = find(self.tree, names[:-1])[0]
        near = sorted(above) if isinstance(above, dict) else []
        if self.random.random() < 0.7:
            others = [name for name in near if name != names[-1]]
            near = [name for name in others if isinstance(above[name], ModelFile)]
        count = self.random.choice((1, 1, 2, 3))
        chosen = self.random.sample(near, min(count, len(near))) or ["a"]
        chosen += self.random.choices(chosen, k=self.random.random() < 0.1)
        sources = [names[:-1] + (name,) for name in chosen]
        nodes = [self._file(path) for path in (names, *sources)]
        error = next((error for _, error in nodes if error is not None), None)
        target, files = nodes[0][0], [node for node, _ in nodes[1:]]
        written = [
            name for name in (names[-1], *chosen)
            if isinstance(above, dict) and rivals(self.writers, above, (name,))
        ]
        if nodes[0][1] is None and names[-1] in written:
            error = errors.AlreadyBeingCreated
        sized = zip(chosen, nodes[1:]) if error is not errors.AlreadyBeingCreated else ()
        for name, (file, file_error) in sized:
            error = nodes[0][1] or file_error
            if error is None and name in written:
                error = errors.AlreadyBeingCreated
            elif error is None and (file is target or not file.lengths):
                error = errors.InvalidArgument
            if error is not None:
                break
        if error is None and len(set(chosen)) < len(chosen):
            error = errors.InvalidArgument
        if error is None:
            lengths = [(sum(file.lengths), target.replication - file.replication) for file in files]
            more = sum(length * replicas for length, replicas in lengths)
            error = self.quotas.refusal(above, 0, more)
        op, paths = self.op(), [render(source) for source in sources]
        self.change(
            lambda: self.state.rewriting.concat(ROOT, op, render(names), paths, 10), error
        )
        if error is None:
            for name, file in zip(sources, files):
                target.lengths += file.lengths
                del above[name[-1]]

    def resume_visible(self, writer: ModelWriter) -> None:
        """Present a file that is visible to the restarted namenode."""
        file = writer.file
        assert file is not None
        kept, whole = sum(file.lengths[: writer.first]), sum(file.lengths)
        _, found = self.call(
            lambda: self.state.rewriting.resume(
                ROOT, writer.client, writer.file_id, Tail(writer.first, kept, whole),
                writer.blocks, self.now,
            )
        )  # fmt: skip
        above = holder(self.tree, file)
        error: Optional[Type] = errors.LeaseExpired
        if above is not None:
            name = next(name for name, node in above.items() if node is file)
            more = reservation(writer, len(writer.blocks))
            error = self.quotas.refusal(above, 0, more)
            error = errors.LeaseExpired if rivals(self.writers, above, (name,)) else error
        self.resumed(writer, found, error)

    def resumed(
        self, writer: ModelWriter, found: Optional[Type], error: Optional[Type]
    ) -> None:
        """The writer goes on, or its blocks are left with nobody."""
        assert found is error, (found, error)
        if error is None:
            self.writers.append(writer)
            self.renewed[writer.client] = self.now
        else:
            self.ownerless.update(block.block_id for block in writer.blocks.values())

    def publish(self, writer: ModelWriter, flushed: bool) -> int:
        """The new blocks are visible, and the writer goes on if `flushed`; the file's length."""
        file = writer.file
        if file is None:
            node, names, _ = appearing(writer)
            for name in names[:-1]:
                node = node.setdefault(name, {})
            file = writer.file = node[names[-1]] = ModelFile(writer.file_id, ())
        lengths = tuple(block.length for _, block in sorted(writer.blocks.items()))
        file.lengths = file.lengths[: writer.first] + lengths
        writer.first += len(lengths)
        writer.blocks.clear()
        if not flushed:
            self.writers.remove(writer)
        return sum(file.lengths)

    def _likely_file(self) -> Names:
        """The path of a file, most often."""
        files: List[Names] = []
        waiting: List[Tuple[Names, dict]] = [((), self.tree)]
        while waiting:
            names, directory = waiting.pop()
            for name, node in directory.items():
                if isinstance(node, dict):
                    waiting.append((names + (name,), node))
                else:
                    files.append(names + (name,))
        if not files or self.random.random() < 0.1:
            return self.path()
        return self.random.choice(files)

    def _claim(self, names: Names) -> Tuple[Any, Optional[Type], List[ModelWriter]]:
        """The file of a path, why nobody may open it now, and whom opening it ends."""
        file, error = self._file(names)
        if error is not None:
            return file, error, []
        ended = rivals(self.writers, find(self.tree, names[:-1])[0], names[-1:])
        busy = any(self.now - self.renewed[writer.client] <= 10.0 for writer in ended)
        return file, errors.AlreadyBeingCreated if busy else None, ended

    def _file(self, names: Names) -> Tuple[Any, Optional[Type]]:
        node, rest, error = find(self.tree, names)
        if error is None and rest:
            error = errors.PathNotFound
        elif error is None and isinstance(node, dict):
            error = errors.IsADirectory
        return node, error

    def _open(
        self, client: str, file: ModelFile, first: int, ended: List[ModelWriter]
    ) -> None:
        self.writers = [writer for writer in self.writers if writer not in ended]
        writer = ModelWriter(client, file.file_id, {}, (), False)
        writer.file, writer.first = file, first
        self.writers.append(writer)
        self.renewed[client] = self.now
