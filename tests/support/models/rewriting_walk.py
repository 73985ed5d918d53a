"""The steps of the namespace's random walk that change files which exist."""

from typing import Any, Optional, Tuple, Type

from data_service.protocol.files import Tail
from tests.support.models.namenode_core import ROOT
from tests.support.models.namespace_views import refused
from tests.support.models.namespace_walk import Sides
from tests.support.models.nodes import Directory, File, join
from tests.support.models.open_tree import BLOCK_SIZE, REPLICATION, BlockFile, Writer
from zookeeper.fabric import errors

BLOCKS = 3


class RewritingWalk(Sides):
    """The steps, each done to both sides."""

    def put(self) -> None:
        """A whole new file, of blocks of any length that appends may have left."""
        path = join(self.likely(File).rpartition("/")[0], self.path().split("/")[1])
        space = BLOCKS * BLOCK_SIZE * REPLICATION
        if refused(lambda: self.tree.check_new(path, False, space=space))[1]:
            return
        place = self.tree.place(path)
        if self.tree.rivals(place) or self.tree.obstacles(place):
            return
        writing, op = self.state.writing, self.op("z")
        opened, _ = self.call(lambda: writing.create(
            ROOT, op, path, False, 2, BLOCK_SIZE, 0o644, self.now))
        file = BlockFile(opened.file_id)
        for position in range(self.random.randrange(BLOCKS + 1)):
            located, _ = self.call(lambda: writing.add_block(
                "z", opened.file_id, position, (), "", self.now, self.random))
            block = located.block._replace(length=self.random.randint(1, BLOCK_SIZE))
            self.nodes.receive(block, located.targets)
            self.call(lambda: writing.flush(
                ROOT, self.op("z"), opened.file_id, [block], self.now, 8))
            file.content += (block.length,)
        self.call(lambda: writing.complete(ROOT, self.op("z"), opened.file_id, (), self.now, 8))
        self.tree.add(path, file, False)

    def replicate(self) -> None:
        """Set the replication of a file; it must be told afterwards."""
        op, path = self.op(), self.likely(File)
        number = self.random.choice((1, 2, 3, 4, 500))
        _, done = self.both(
            lambda: self.tree.set_replication(path, number),
            lambda: self.state.set_replication(ROOT, op, path, number),
        )
        if done:
            assert self.state.reading.stat(ROOT, path).result.replication == number

    def append(self) -> None:
        """Open a file to write behind its end."""
        path, client = self.likely(File), self.random.choice(("x", "y"))
        file, error = self._claim(path)
        op = self.op(client)
        opened = self.change(lambda: self.state.rewriting.append(ROOT, op, path, self.now), error)
        if error is None:
            assert opened[3:6] == (len(file.content), file.length, file.length)
            self.tree.rewrite(client, path, len(file.content))

    def truncate(self) -> None:
        """Shorten a file, at or within a block; sometimes to what it has, or more."""
        path, client = self.likely(File), self.random.choice(("x", "y"))
        file, error = self._claim(path)
        whole = file.length if file else 0
        length = self.random.choice((0, whole, whole + 1, self.random.randint(0, whole)))
        if error is None and length > whole:
            error = errors.InvalidArgument
        op = self.op(client)
        opened = self.change(
            lambda: self.state.rewriting.truncate(ROOT, op, path, length, self.now, 9), error
        )
        if error is not None:
            return
        kept = 0
        while sum(file.content[: kept + 1]) <= length and kept < len(file.content):
            kept += 1
        if sum(file.content[:kept]) == length:
            assert opened is None
            self.tree.end(self.tree.rivals(self.tree.place(path)), errors.AlreadyBeingCreated)
            file.content = file.content[:kept]
            return
        assert opened[3:6] == (kept, sum(file.content[:kept]), whole)
        self.tree.rewrite(client, path, kept)
        outcome = self.state.rewriting.cut_block(client, file.number)
        assert outcome.result.block.length == file.content[kept]

    def concat(self) -> None:
        """Move the blocks of files behind those of another."""
        path = self.likely(File)
        folder, _, name = path.rpartition("/")
        above = refused(lambda: self.tree.get(folder or "/"))[0]
        near = sorted(above.children) if isinstance(above, Directory) else []
        if self.random.random() < 0.7:
            near = [other for other in near
                    if other != name and isinstance(above.children[other], File)]
        count = self.random.choice((1, 1, 2, 3))
        chosen = self.random.sample(near, min(count, len(near))) or ["a"]
        chosen += self.random.choices(chosen, k=self.random.random() < 0.1)
        op, sources = self.op(), [join(folder, other) for other in chosen]
        self.both(
            lambda: self.tree.concat(path, sources),
            lambda: self.state.rewriting.concat(ROOT, op, path, sources, 10),
        )

    def resume_visible(self, writer: Writer) -> None:
        """Present a file that is visible to the restarted namenode."""
        file = writer.file
        assert file is not None
        tail = Tail(writer.first, sum(file.content[: writer.first]), file.length)
        _, found = self.call(
            lambda: self.state.rewriting.resume(
                ROOT, writer.client, writer.file_id, tail, writer.blocks, self.now
            )
        )
        self.resumed(writer, found, refused(lambda: self.tree.resume_visible(writer))[1])

    def resumed(self, writer: Writer, found: Optional[Type], error: Optional[Type]) -> None:
        """The writer goes on, or its blocks are left with nobody."""
        assert found is error, (found, error)
        if error is not None:
            self.ownerless.update(block.block_id for block in writer.blocks.values())

    def _claim(self, path: str) -> Tuple[Any, Optional[Type]]:
        """The file of a path, and why nobody may open it now."""
        file, error = refused(lambda: self.tree.file(path))
        if error is None:
            rivals = self.tree.rivals(self.tree.place(path))
            busy = errors.AlreadyBeingCreated
            error = refused(lambda: self.tree.check_silent(rivals, busy))[1]
        return file, error
