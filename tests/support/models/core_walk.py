"""A random walk over all operations of the namenode's core, against plain nested dictionaries."""

from typing import List, Optional, Type

from data_service.namenode.namespace.paths import render
from tests.support.models.namespace_model import (
    ROOT,
    ModelWriter,
    appearing,
    find,
    lost,
    obstacles,
    reserved,
    rivals,
)
from tests.support.models.quota_model import BLOCK_SIZE, replaced, reservation
from tests.support.models.rewriting_walk import RewritingWalk
from zookeeper.fabric import errors


class Walk(RewritingWalk):
    """The operations, each done to both sides."""

    # -- The operations.

    def mkdir(self) -> None:
        """Make a directory, with or without its parents."""
        names, parents = self.path(), self.random.random() < 0.5
        node, rest, error = find(self.tree, names)
        if error is None and not rest:
            error = None if parents else errors.PathExists
            error = error if isinstance(node, dict) else errors.NotADirectory
        elif error is None and len(rest) > 1 and not parents:
            error = errors.PathNotFound
        error = error or (self.quotas.refusal(node, len(rest)) if rest else None)
        ended = obstacles(self.writers, node, rest) if error is None else []
        if any(self.now - self.renewed[writer.client] <= 10.0 for writer in ended):
            error = errors.NotADirectory
        op, path = self.op(), render(names)
        self.change(lambda: self.state.mkdir(ROOT, op, path, parents, 0o755, 5, self.now), error)
        if error is None:
            self.writers = [writer for writer in self.writers if writer not in ended]
            for name in rest:
                node = node.setdefault(name, {})

    def delete(self) -> None:
        """Delete a path."""
        names, recursive = self.path(), self.random.random() < 0.6
        node, rest, error = find(self.tree, names)
        if error is None and not rest and isinstance(node, dict) and node and not recursive:
            error = errors.DirectoryNotEmpty
        op, path = self.op(), render(names)
        result = self.change(lambda: self.state.delete(ROOT, op, path, recursive, 6), error)
        if error is None:
            assert result is (not rest)
            if result:
                del find(self.tree, names[:-1])[0][names[-1]]

    def rename(self) -> None:
        """Rename any path to any other."""
        source, target = self.path(), self.path()
        moved, rest, error = find(self.tree, source)
        above, left, target_error = find(self.tree, target)
        if source == target:
            error = errors.PathExists
        elif target[: len(source)] == source:
            error = errors.InvalidArgument
        elif error is None and rest:
            error = errors.PathNotFound
        elif error is None:
            error = target_error
            if error is None and not left:
                error = errors.PathExists
            elif error is None and len(left) > 1:
                error = errors.PathNotFound
        ended: List[ModelWriter] = []
        if error is None:
            beside = find(self.tree, source[:-1])[0]
            error = self.quotas.refusal(above, *self.quotas.use(moved), beside)
        if error is None:
            ended = reserved(self.writers, above, target[-1])
            if any(self.now - self.renewed[writer.client] <= 10.0 for writer in ended):
                error = errors.PathExists
        op, paths = self.op(), (render(source), render(target))
        self.change(lambda: self.state.rename(ROOT, op, *paths, 7, self.now), error)
        if error is None:
            self.writers = [writer for writer in self.writers if writer not in ended]
            del find(self.tree, source[:-1])[0][source[-1]]
            above[target[-1]] = moved

    def attributes(self) -> None:
        """Set one attribute; it must be told afterwards."""
        names = self.path()
        node, rest, error = find(self.tree, names)
        if error is None and rest:
            error = errors.PathNotFound
        op, path, choice = self.op(), render(names), self.random.randrange(3)
        number = self.random.choice((1, 2, 3, 4, 500))
        deeds = (
            lambda: self.state.set_mode(ROOT, op, path, number),
            lambda: self.state.set_owner(ROOT, op, path, "u", f"g{number}"),
            lambda: self.state.set_times(ROOT, op, path, number, None),
        )
        self.change(deeds[choice], error)
        if error is None:
            status = self.state.reading.stat(ROOT, path).result
            told = (status.mode, status.group, status.mtime_ms)[choice]
            assert told == (f"g{number}" if choice == 1 else number)

    def limit(self) -> None:
        """Set quotas of a directory, or clear them."""
        names = self.random.choice(((), self.path()))
        node, rest, error = find(self.tree, names)
        quotas = (
            self.random.choice((-1, 1, 2, 3, 4, 5, 7)),
            self.random.choice((-1, -1, 0, 200, 207, 414, 600)),
        )
        if error is None and rest:
            error = errors.PathNotFound
        elif error is None and not isinstance(node, dict):
            error = errors.NotADirectory
        elif not names and quotas[0] == -1:
            error = errors.InvalidArgument
        op, path = self.op(), render(names)
        self.change(lambda: self.state.set_quota(ROOT, op, path, *quotas), error)
        if error is None:
            self.quotas.limit(node, *(None if quota == -1 else quota for quota in quotas))

    def create(self) -> None:
        """Open a file for writing."""
        names, over = self.path(), self.random.random() < 0.5
        client = self.random.choice(("x", "y"))
        node, rest, error = find(self.tree, names)
        above = node if rest else find(self.tree, names[:-1])[0]
        if error is None and not rest:
            error = errors.IsADirectory if isinstance(node, dict) else None
            error = error or (None if over else errors.PathExists)
        place = rest or names[-1:]
        ended = rivals(self.writers, above, place) if error is None else []
        if any(self.now - self.renewed[rival.client] <= 10.0 for rival in ended):
            error = errors.AlreadyBeingCreated
        blocking = obstacles(self.writers, above, place[:-1]) if error is None else []
        if any(self.now - self.renewed[writer.client] <= 10.0 for writer in blocking):
            error = errors.NotADirectory
        ended += blocking
        writer = ModelWriter(client, 0, above, place, over)
        error = error or self.quotas.refusal(above, self.quotas.new_names(writer))
        op, path = self.op(client), render(names)
        opened = self.change(
            lambda: self.state.writing.create(ROOT, op, path, over, 2, BLOCK_SIZE, 0o644, self.now),
            error,
        )
        if error is None:
            self.writers = [writer for writer in self.writers if writer not in ended]
            self.renewed[client] = self.now
            writer.file_id, writer.path = opened.file_id, path
            writer.replaces = None if rest else node
            assert opened.replaces == (0 if rest else node.file_id)
            self.writers.append(writer)

    def write(self) -> None:
        """Add a block to an open file, and perhaps give it up."""
        if not self.writers:
            return
        writer = self.random.choice(self.writers)
        place = self.random.choice((len(writer.blocks), len(writer.blocks), 0, 1, 2))
        position = writer.first + place
        if position in writer.blocks:
            return
        error: Optional[Type] = errors.LeaseExpired if lost(self.tree, writer) else None
        count = len(writer.blocks)
        more = reservation(writer, count + 1) - reservation(writer, count)
        error = error or self.quotas.refusal(self.quotas.above(writer), 0, more)
        located, found = self.call(
            lambda: self.state.writing.add_block(
                writer.client, writer.file_id, position, (), "", self.now, self.random
            )
        )
        assert found is error, (found, error)
        if error is not errors.LeaseExpired:
            self.renewed[writer.client] = self.now
        if error is not None:
            return
        kept = sum(writer.file.lengths[: writer.first]) if writer.file else 0
        assert located.offset == kept + place * BLOCK_SIZE
        block = located.block._replace(length=self.random.choice((BLOCK_SIZE, BLOCK_SIZE, 7)))
        sent = max(1, len(located.targets) - (self.random.random() < 0.15))
        self.nodes.receive(block, located.targets[:sent])
        if self.random.random() < 0.2:
            number = block.block_id
            for _ in range(2):
                assert self.call(
                    lambda: self.state.writing.abandon_block(writer.client, writer.file_id, number)
                ) == (None, None)
            return
        writer.blocks[position] = block
        writer.confirmed &= sent == len(located.targets)

    def complete(self) -> None:
        """Make an open file appear, or what was added to it; sometimes it stays open."""
        if not self.writers:
            return
        writer = self.random.choice(self.writers)
        flushed = self.random.random() < 0.3
        error: Optional[Type] = None
        blocks = [writer.blocks[position] for position in sorted(writer.blocks)]
        if writer.blocks.keys() != set(range(writer.first, writer.first + len(blocks))):
            error = errors.InvalidArgument
        elif 0 < replaced(writer) < sum(block.length for block in blocks):
            error = errors.InvalidArgument
        elif not writer.confirmed:
            error = errors.NotEnoughReplicas
        elif lost(self.tree, writer):
            error = errors.LeaseExpired
        elif writer.file is None:
            error = appearing(writer)[2]
        if error is not errors.InvalidArgument:
            self.renewed[writer.client] = self.now
        op, writing = self.op(writer.client), self.state.writing
        publish = writing.flush if flushed else writing.complete
        new = writer.file is None
        done = self.change(
            lambda: publish(ROOT, op, writer.file_id, blocks, self.now, 8), error
        )
        if error is None:
            length = self.publish(writer, flushed)
            assert done.status.length == length and (done.replicas == 2 or not new)

    def abandon(self) -> None:
        """Give an open file up."""
        if self.writers:
            writer = self.writers.pop(self.random.randrange(len(self.writers)))
            for _ in range(2):
                assert self.call(
                    lambda: self.state.writing.abandon_file(writer.client, writer.file_id)
                ) == (None, None)

    def pass_time(self) -> None:
        """Let clients be silent: up to a soft or a hard limit."""
        silent = self.random.choice(("x", "y", ""))
        for _ in range(self.random.choice((3, 8))):
            self.now += 4.0
            for client in {"x", "y"} - {silent}:
                self.state.writing.renew_lease(client, self.now)
                self.renewed[client] = self.now
            for outcome in self.state.writing.expire_leases(self.now):
                self.store(outcome)
        ended = {client for client, time in self.renewed.items() if self.now - time > 30.0}
        self.writers = [writer for writer in self.writers if writer.client not in ended]

    def sweep(self) -> None:
        """Carry out a piece of the deletions; some more edits are durable."""
        self.store(self.state.purge_step(self.random.randrange(1, 5)))
        self.durable = self.random.randint(self.durable, self.metadata.last_txid)
        self.state.commits.note_durable(self.durable)
        self.nodes.obey(self.metadata.last_txid)
        self.store(self.state.forget_deleted(self.random.randrange(1, 5)))

    def restart(self) -> None:
        """Everything is durable, the namenode dies, and the writers present their files again."""
        before = self.state.image.rows()
        self.durable = self.metadata.last_txid
        self.state = self.metadata.start()
        after = self.state.image.rows()
        assert after == before
        held = self.nodes.held
        self.nodes = self.datanodes(0)
        self.nodes.held = held
        for node_id in sorted(held):
            self.nodes.start(node_id)
        self.state.blocks.loaded(0.0)
        writers, self.writers = self.writers, []
        for writer in writers:
            self.resume(writer)

    def resume(self, writer: ModelWriter) -> None:
        """Present a file to the restarted namenode."""
        if writer.file is not None:
            self.resume_visible(writer)
            return
        names = tuple(writer.path[1:].split("/"))
        _, found = self.call(
            lambda: self.state.writing.resume(
                ROOT, writer.client, writer.path, writer.file_id, writer.overwrite,
                2, BLOCK_SIZE, 0o644, getattr(writer.replaces, "file_id", 0), writer.blocks,
                self.now,
            )
        )  # fmt: skip
        node, rest, error = find(self.tree, names)
        above = node if rest else find(self.tree, names[:-1])[0]
        if error is None and not rest:
            error = errors.IsADirectory if isinstance(node, dict) else None
            ours = writer.overwrite and node is writer.replaces
            error = error or (None if ours else errors.PathExists)
        writer.above, writer.names = above, rest or names[-1:]
        if error is None and rivals(self.writers, above, writer.names):
            error = errors.LeaseExpired
        if error is None:
            new_names = self.quotas.new_names(writer)
            space = reservation(writer, len(writer.blocks))
            error = self.quotas.refusal(above, new_names, space)
        self.resumed(writer, found, error)

    # -- The walk.

    def step(self) -> str:
        """Do any operation, and compare; its name."""
        deed = self.random.choice(
            (self.mkdir, self.mkdir, self.delete, self.rename, self.rename, self.attributes,
             self.replicate, self.create, self.create, self.write, self.write, self.write,
             self.complete, self.complete, self.complete, self.abandon, self.pass_time, self.sweep,
             self.put, self.put, self.append, self.append, self.truncate,
             self.truncate, self.concat, self.concat,
             self.limit if self.limiting else self.sweep)
        )  # fmt: skip
        if self.random.random() < 0.02:
            deed = self.restart
        deed()
        self.compare()
        if self.random.random() < 0.2:
            self.peek()
        self.browse()
        return deed.__name__

    def drain(self) -> None:
        """Carry out all deletions: datanodes hold what files and writers have, nothing else."""
        while self.state.image.orphans.children:
            self.store(self.state.purge_step(3))
        if self.random.random() < 0.5:
            self.restart()
        self.nodes.obey(self.metadata.last_txid)
        self.store(self.state.forget_deleted(1000))
        self.state.check()
        assert not self.metadata.tables["deleted_blocks"]
        kept = set(self.metadata.tables["blocks"]) | self.ownerless
        kept.update(block.block_id for writer in self.writers for block in writer.blocks.values())
        held = {block_id for blocks in self.nodes.held.values() for block_id in blocks}
        assert held == kept
