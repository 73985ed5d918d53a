"""A random walk over all operations of the namenode's core, against the plain tree."""

from typing import Optional, Type

from data_service.protocol.delegation_tokens import Delegation
from tests.support.models.block_side import sealed
from tests.support.models.namenode_core import ROOT
from tests.support.models.namespace_views import refused
from tests.support.models.namespace_walk import NAMES
from tests.support.models.nodes import Directory, Node, join
from tests.support.models.open_tree import BLOCK_SIZE, Writer
from tests.support.models.rewriting_walk import RewritingWalk
from zookeeper.fabric import errors


class Walk(RewritingWalk):
    """The operations, each done to both sides."""

    # -- The operations.

    def mkdir(self) -> None:
        """Make a directory, with or without its parents."""
        op, path, parents = self.op(), self.path(), self.random.random() < 0.5
        self.both(
            lambda: self.tree.mkdir(path, parents),
            lambda: self.state.mkdir(ROOT, op, path, parents, 0o755, 5, self.now),
        )

    def delete(self) -> None:
        """Delete a path."""
        op, path, recursive = self.op(), self.path(), self.random.random() < 0.6
        was_there = refused(lambda: self.tree.find(path))[1] is None
        result, done = self.both(
            lambda: self.tree.delete(path, recursive),
            lambda: self.state.delete(ROOT, op, path, recursive, 6),
        )
        assert not done or result is was_there

    def rename(self) -> None:
        """Rename a path, most often to a new one in a directory that is there."""
        source, target = self.random.choice((self.path(), self.likely(Node))), self.path()
        overwrite = self.random.random() < 0.3
        if self.random.random() < 0.5:
            target = join(self.likely(Directory), self.random.choice(NAMES))
        op, paths = self.op(), (source, target)
        self.both(
            lambda: self.tree.rename(*paths, overwrite=overwrite),
            lambda: self.state.rename(ROOT, op, *paths, 7, self.now, overwrite),
        )

    def attributes(self) -> None:
        """Set one attribute; it must be told afterwards."""
        op, path, choice = self.op(), self.path(), self.random.randrange(3)
        number = self.random.choice((1, 2, 3, 4, 500))
        deeds = (
            lambda: self.state.set_mode(ROOT, op, path, number),
            lambda: self.state.set_owner(ROOT, op, path, "u", f"g{number}"),
            lambda: self.state.set_times(ROOT, op, path, number, None),
        )
        _, done = self.both(lambda: self.tree.find(path), deeds[choice])
        if done:
            status = self.state.reading.stat(ROOT, path).result
            told = (status.mode, status.group, status.mtime_ms)[choice]
            assert told == (f"g{number}" if choice == 1 else number)

    def limit(self) -> None:
        """Set quotas of a directory, or clear them."""
        op, path = self.op(), self.random.choice(("/", self.likely(Directory)))
        quotas = (
            self.random.choice((-1, 1, 2, 3, 4, 5, 7)),
            self.random.choice((-1, -1, 0, 200, 207, 414, 600)),
        )
        self.both(
            lambda: self.tree.set_quota(path, *quotas),
            lambda: self.state.set_quota(ROOT, op, path, *quotas),
        )

    def create(self) -> None:
        """Open a file for writing."""
        path, over = self.path(), self.random.random() < 0.5
        client = self.random.choice(("x", "y"))
        op, create = self.op(client), self.state.writing.create
        opened, done = self.both(
            lambda: self.tree.create(client, path, over),
            lambda: create(ROOT, op, path, over, 2, BLOCK_SIZE, 0o644, self.now),
        )
        if done:
            writer = self.tree.writers[-1]
            writer.file_id = opened.file_id
            assert opened.replaces == (writer.replaces.number if writer.replaces else 0)

    def write(self) -> None:
        """Add a block to an open file, and perhaps give it up."""
        if not self.tree.writers:
            return
        writer = self.random.choice(self.tree.writers)
        place = self.random.choice((len(writer.blocks), len(writer.blocks), 0, 1, 2))
        position = writer.first + place
        if position in writer.blocks:
            return
        error: Optional[Type] = errors.LeaseExpired if not self.tree.way_of(writer) else None
        count, way = len(writer.blocks), self.tree.way_of(writer)
        more = writer.reserved(count + 1) - writer.reserved(count)
        error = error or refused(lambda: self.tree.check_quota(way, 0, more))[1]
        located, found = self.call(
            lambda: self.state.writing.add_block(
                writer.client, writer.file_id, position, (), "", self.now, self.random
            )
        )
        assert found is error, (found, error)
        if error is not errors.LeaseExpired:
            self.tree.renewed[writer.client] = self.now
        if error is not None:
            return
        kept = sum(writer.file.content[: writer.first]) if writer.file else 0
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
        if not self.tree.writers:
            return
        writer = self.random.choice(self.tree.writers)
        flushed = self.random.random() < 0.3
        error: Optional[Type] = None
        blocks = [writer.blocks[position] for position in sorted(writer.blocks)]
        if writer.blocks.keys() != set(range(writer.first, writer.first + len(blocks))):
            error = errors.InvalidArgument
        elif 0 < writer.replaced < sum(block.length for block in blocks):
            error = errors.InvalidArgument
        elif not self.is_confirmed(writer):
            error = errors.NotEnoughReplicas
        elif not self.tree.way_of(writer):
            error = errors.LeaseExpired
        elif writer.file is None:
            error = refused(writer.check_appearing)[1]
        if error is not errors.InvalidArgument:
            self.tree.renewed[writer.client] = self.now
        op, writing = self.op(writer.client), self.state.writing
        publish = writing.flush if flushed else writing.complete
        new, told = writer.file is None, list(map(sealed, blocks))
        done = self.change(
            lambda: publish(ROOT, op, writer.file_id, told, self.now, 8), error
        )
        if error is None:
            length = self.tree.publish(writer, flushed).length
            assert done.status.length == length and (done.replicas == 2 or not new)

    def is_confirmed(self, writer: Writer) -> bool:
        """Whether every block is on the datanodes that it was sent to, or that it must have."""
        held = self.nodes.held.values()
        wanted = min(writer.replication, len(held))
        return writer.confirmed and all(
            sum(block.block_id in blocks for blocks in held) >= wanted
            for block in writer.presented
        )

    def abandon(self) -> None:
        """Give an open file up."""
        if self.tree.writers:
            writer = self.tree.writers.pop(self.random.randrange(len(self.tree.writers)))
            for _ in range(2):
                assert self.call(
                    lambda: self.state.writing.abandon_file(writer.client, writer.file_id)
                ) == (None, None)

    def delegate(self) -> None:
        """Give a token out, prolong one, cancel one, or forget those that are over."""
        known, delegating = self.state.image.given_tokens, self.state.delegating
        wall_ms, op = int(self.now), self.op()
        asked = Delegation(0, "u", "r", "", wall_ms, wall_ms + 60, 0, "00" * 8)
        given = [Delegation(*row[:-1]) for row in known.rows()]
        choice = self.random.randrange(4)
        if choice == 3:
            self.store(delegating.forget_expired(wall_ms, 3))
        elif choice == 0 or not given:
            self.call(lambda: delegating.issue(op, asked, wall_ms + 20))
        else:
            one = self.random.choice(given)
            if choice == 1:
                self.call(lambda: delegating.renew(op, "r", one, wall_ms + 40, wall_ms))
            else:
                self.change(lambda: delegating.cancel(op, "u", one), None)

    def pass_time(self) -> None:
        """Let clients be silent: up to a soft or a hard limit."""
        silent = self.random.choice(("x", "y", ""))
        for _ in range(self.random.choice((3, 8))):
            self.tree.now += 4.0
            for client in {"x", "y"} - {silent}:
                self.state.writing.renew_lease(client, self.now)
                self.tree.renewed[client] = self.now
            for outcome in self.state.writing.expire_leases(self.now):
                self.store(outcome)
        ended = {client for client, time in self.tree.renewed.items() if self.now - time > 30.0}
        self.tree.writers = [writer for writer in self.tree.writers if writer.client not in ended]

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
        self.present_writers()

    def present_writers(self) -> None:
        """The writers of files that a namenode does not know present these again."""
        writers, self.tree.writers = self.tree.writers, []
        for writer in writers:
            self.resume(writer)

    def resume(self, writer: Writer) -> None:
        """Present a file to the restarted namenode."""
        if writer.file:
            self.resume_visible(writer)
            return
        old = writer.replaces.number if writer.replaces else 0
        _, found = self.call(
            lambda: self.state.writing.resume(
                ROOT, writer.client, writer.path, writer.file_id, writer.overwrite,
                2, BLOCK_SIZE, 0o644, old, writer.blocks, self.now,
            )
        )  # fmt: skip
        self.resumed(writer, found, refused(lambda: self.tree.resume(writer))[1])

    # -- The walk.

    def step(self) -> str:
        """Do any operation, and compare; its name."""
        deed = self.random.choice(
            (self.mkdir, self.mkdir, self.delete, self.rename, self.rename, self.attributes,
             self.replicate, self.create, self.create, self.write, self.write, self.write,
             self.complete, self.complete, self.complete, self.abandon, self.pass_time, self.sweep,
             self.delegate,
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
        for writer in self.tree.writers:
            kept.update(block.block_id for block in writer.blocks.values())
        held = {block_id for blocks in self.nodes.held.values() for block_id in blocks}
        assert held == kept
