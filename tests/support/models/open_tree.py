"""The plain tree with the files that are being written: who holds which name, and what is reserved.

A new file is written below a directory, under names of which none need be there; it appears when it
is complete. Quotas count the names and the whole blocks that it will need.
"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple, Type

from data_service.protocol.blocks import Block
from tests.support.models.nodes import ROOT, Caller, Directory, File, Node, Use, names_of
from tests.support.models.tree import Tree
from zookeeper.fabric import errors

BLOCK_SIZE = 100
REPLICATION = 2
SOFT_LIMIT_SECONDS = 10.0

Names = Tuple[str, ...]

Missing = Tuple[int, Names]
"""A node that is reserved: the identity of a directory, and the names below it."""


class BlockFile(File):
    """A file whose content is the lengths of its blocks."""

    def __init__(self, number: int) -> None:
        super().__init__((), REPLICATION)
        self.number = number

    @property
    def length(self) -> int:
        """Bytes."""
        return sum(self.content)


class Place(NamedTuple):
    """A directory, and the names below it."""

    above: Directory
    names: Names


class Writer:
    """A file that is being written: at which place, by which client, with what so far.

    Once it is visible it is `file`, and `blocks` take the place of what that has from `first` on.
    """

    def __init__(self, client: str, place: Place, path: str, overwrite: bool) -> None:
        self.client = client
        self.place = place
        self.path = path
        self.overwrite = overwrite
        self.file_id = 0
        self.replaces: Optional[Node] = None
        self.file: Optional[BlockFile] = None
        self.first = 0
        self.blocks: Dict[int, Block] = {}
        self.confirmed = True
        self.presented: Tuple[Block, ...] = ()
        """What was written before a restart: nobody knows any more where it was sent."""
        self.replication = REPLICATION
        """How many replicas that is to have, whatever is said of the file since."""

    @property
    def replaced(self) -> int:
        """How many bytes of a file that is being truncated the new blocks will replace."""
        return sum(self.file.content[self.first :]) if self.file else 0

    def next_place(self) -> Place:
        """Below the last directory on a new file's way that is there."""
        above, names = self.place
        while len(names) > 1 and isinstance(above.children.get(names[0]), Directory):
            below = above.children[names[0]]
            assert isinstance(below, Directory)
            above, names = below, names[1:]
        return Place(above, names)

    def missing(self) -> Set[Missing]:
        """The nodes that are not there yet on a new file's way."""
        above, names = self.next_place()
        if self.file or names[0] in above.children:
            return set()
        return {(id(above), names[:depth]) for depth in range(1, len(names) + 1)}

    def reserved(self, blocks: int) -> int:
        """The bytes of so many whole blocks, without those of the file that will go."""
        if self.file:
            return 0 if self.replaced else blocks * BLOCK_SIZE * self.file.replication
        above, names = self.next_place()
        old = above.children.get(names[0]) if len(names) == 1 else None
        spared = old.length * old.replication if isinstance(old, File) else 0
        return max(0, blocks * BLOCK_SIZE * REPLICATION - spared)

    def check_appearing(self) -> None:
        """Raise why a new file cannot appear."""
        above, names = self.next_place()
        there = above.children.get(names[0])
        if there and len(names) > 1:
            raise errors.NotADirectory(self.path)
        if isinstance(there, Directory):
            raise errors.IsADirectory(self.path)
        if there and not (self.overwrite and there is self.replaces):
            raise errors.PathExists(self.path)


class OpenTree(Tree):
    """`renewed` is when each client was heard of; who is silent for long is ended by others."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: List[Writer] = []
        self.renewed: Dict[str, float] = {}
        self.now = 0.0

    # -- What the tree asks.

    def use(self, node: Node) -> Use:
        """With what is reserved for the writers at or below a node."""
        files, space = set(), 0
        for writer in self.writers:
            if node in self.way_of(writer):
                files |= writer.missing()
                space += writer.reserved(len(writer.blocks))
        use = super().use(node)
        return use._replace(files=use.files + len(files), space=use.space + space)

    def whole_file(self, path: str, who: Caller, bits: int) -> File:
        """A file that nobody is writing, also not in its place."""
        file = super().whole_file(path, who, bits)
        if self.rivals(self.place(path)):
            raise errors.AlreadyBeingCreated(path)
        return file

    def mkdir(self, path: str, parents: bool, mode: int = 0o755, who: Caller = ROOT) -> None:
        """As in every tree, where nobody writes a file."""
        self.check_mkdir(path, parents, who)
        if self.get(path) is None:
            self.end(self.obstacles(self.place(path)), errors.NotADirectory)
        super().mkdir(path, parents, mode, who)

    def rename(
        self, source: str, target: str, who: Caller = ROOT, overwrite: bool = False
    ) -> None:
        """As in every tree, to where nobody writes a file."""
        self.check_rename(source, target, who, overwrite)
        above, names = self.place(target)
        self.end([w for w in self._new_below(above) if w.place.names[0] == names[0]],
                 errors.PathExists)
        super().rename(source, target, who, overwrite)

    # -- Places.

    def way_to(self, wanted: Node) -> List[Node]:
        """The nodes from the root down to one; none when it is not in the tree."""
        return next((self.way(path) for path, node in self.walk() if node is wanted), [])

    def way_of(self, writer: Writer) -> List[Node]:
        """The nodes from the root down to what a writer's file is, or starts from."""
        return self.way_to(writer.file or writer.place.above)

    def place(self, path: str) -> Place:
        """The last directory on the way to a path, and the names from there on."""
        names, way = names_of(path), self.way(path)
        depth = min(len(way), len(names)) - 1
        above = way[depth]
        assert isinstance(above, Directory)
        return Place(above, tuple(names[depth:]))

    # -- Writers.

    def rivals(self, place: Place) -> List[Writer]:
        """Who writes a new file at this place, or on in the one that is there."""
        above, names = place
        there = above.children.get(names[0]) if len(names) == 1 else None
        new = [w for w in self._new_below(above) if w.place.names == names]
        return new + [w for w in self.writers if w.file and w.file is there]

    def obstacles(self, place: Place) -> List[Writer]:
        """Who writes a new file where a directory at this place, or one on its way, shall be."""
        above, names = place
        return [w for w in self._new_below(above) if names[: len(w.place.names)] == w.place.names]

    def new_names(self, writer: Writer) -> int:
        """How many nodes a writer will add, beside what the others will."""
        others: Set[Missing] = set()
        for other in self.writers:
            if self.way_of(other):
                others |= other.missing()
        return len(writer.missing() - others)

    def create(self, client: str, path: str, overwrite: bool) -> Writer:
        """A writer of a new file."""
        old, place = self.get(path), self.place(path)
        if isinstance(old, Directory):
            raise errors.IsADirectory(path)
        if old and not overwrite:
            raise errors.PathExists(path)
        rivals, obstacles = self.rivals(place), self.obstacles(_directory_of(place))
        self.check_silent(rivals, errors.AlreadyBeingCreated)
        self.check_silent(obstacles, errors.NotADirectory)
        writer = Writer(client, place, path, overwrite)
        self.check_quota(self.way_to(place.above), self.new_names(writer), 0)
        writer.replaces = old
        self.end(rivals + obstacles, errors.AlreadyBeingCreated)
        return self.enlist(writer)

    def resume(self, writer: Writer) -> None:
        """A new file goes on to be written after a restart."""
        old, place = self.get(writer.path), self.place(writer.path)
        if isinstance(old, Directory):
            raise errors.IsADirectory(writer.path)
        if old and not (writer.overwrite and old is writer.replaces):
            raise errors.PathExists(writer.path)
        writer.place = place
        if self.rivals(place):
            raise errors.LeaseExpired(writer.path)
        space = writer.reserved(len(writer.blocks))
        self.check_quota(self.way_to(place.above), self.new_names(writer), space)
        self._enlist_again(writer)

    def resume_visible(self, writer: Writer) -> None:
        """A file that is there goes on to be written after a restart."""
        path = next((path for path, node in self.walk() if node is writer.file), None)
        if path is None or self.rivals(self.place(path)):
            raise errors.LeaseExpired(writer.path)
        self.check_quota(self.way(path), 0, writer.reserved(len(writer.blocks)))
        self._enlist_again(writer)

    def rewrite(self, client: str, path: str, first: int) -> Writer:
        """A writer of what a file has from block `first` on."""
        file, place = self.file(path), self.place(path)
        assert isinstance(file, BlockFile)
        self.end(self.rivals(place), errors.AlreadyBeingCreated)
        writer = Writer(client, place, path, False)
        writer.file_id, writer.file, writer.first = file.number, file, first
        return self.enlist(writer)

    def enlist(self, writer: Writer) -> Writer:
        """From now on it is open."""
        self.writers.append(writer)
        self.renewed[writer.client] = self.now
        return writer

    def check_silent(self, writers: Sequence[Writer], error: Type[errors.DfsError]) -> None:
        """Raise when any of the writers was heard of not long ago."""
        if any(self.now - self.renewed[w.client] <= SOFT_LIMIT_SECONDS for w in writers):
            raise error("somebody writes there")

    def end(self, writers: Sequence[Writer], error: Type[errors.DfsError]) -> None:
        """Take their files from writers that are silent."""
        self.check_silent(writers, error)
        self.writers = [writer for writer in self.writers if writer not in writers]

    def publish(self, writer: Writer, flushed: bool) -> BlockFile:
        """The new blocks are visible, and the writer goes on if `flushed`."""
        if not writer.file:
            above, names = writer.next_place()
            for name in names[:-1]:
                made = self.enter(above, name, Directory())
                assert isinstance(made, Directory)
                above = made
            writer.file = BlockFile(writer.file_id)
            self.enter(above, names[-1], writer.file)
        lengths = tuple(block.length for _, block in sorted(writer.blocks.items()))
        writer.file.content = writer.file.content[: writer.first] + lengths
        writer.first += len(lengths)
        writer.blocks.clear()
        writer.presented = ()
        if not flushed:
            self.writers.remove(writer)
        return writer.file

    def settle(self) -> None:
        """A writer whose next directory has been made is below that one, unless one is there."""
        moved = True
        while moved:
            moved = False
            for writer in sorted(self._new(), key=lambda writer: writer.file_id):
                above, names = writer.place
                below = above.children.get(names[0])
                if len(names) == 1 or not isinstance(below, Directory):
                    continue
                place = Place(below, names[1:])
                if not any(w.place == place for w in self._new_below(below)):
                    writer.place, moved = place, True

    def _enlist_again(self, writer: Writer) -> None:
        writer.presented, writer.confirmed = tuple(writer.blocks.values()), True
        if writer.file is not None:
            writer.replication = writer.file.replication
        self.enlist(writer)

    def _new(self) -> List[Writer]:
        return [writer for writer in self.writers if not writer.file]

    def _new_below(self, above: Directory) -> List[Writer]:
        return [writer for writer in self._new() if writer.place.above is above]


def _directory_of(place: Place) -> Place:
    return Place(place.above, place.names[:-1])
