"""The two sides of a random walk: the namenode's core, and the plain tree."""

from random import Random
from typing import Any, Callable, Optional, Set, Tuple, Type

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.paths import render
from data_service.namenode.namespace.retries import Op
from tests.support.models.block_side import Datanodes
from tests.support.models.metadata_model import MetadataModel
from tests.support.models.namenode_core import ROOT
from tests.support.models.namespace_views import listing, plain, refused, strip
from tests.support.models.nodes import NO_QUOTAS, Directory, Node
from tests.support.models.open_tree import OpenTree

NAMES = ("a", "b", "c", "é")


class Sides:
    """One seed: the real core, the model, and the tables that the edits make."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.metadata = MetadataModel()
        self.tree = OpenTree()
        self.limiting = seed % 2 == 0  # Quotas refuse much: half of the walks go without.
        self.calls = 0
        self.durable = 0
        self.ownerless: Set[int] = set()
        self.browsed = ""
        self.state = self.metadata.start()
        self.nodes = self.datanodes(3)
        self.state.blocks.loaded(0.0)

    def datanodes(self, count: int) -> Datanodes:
        """So many datanodes, registered with the namenode as it is now."""
        return Datanodes(self.state.blocks, count)

    # -- Both sides of an operation.

    @property
    def now(self) -> float:
        """Seconds since the walk began."""
        return self.tree.now

    def op(self, client: str = "walker") -> Op:
        """A call that was not made before."""
        self.calls += 1
        return client, self.calls

    def store(self, outcome: Optional[Outcome]) -> Any:
        """Have the outcome's edit stored; its result."""
        return None if outcome is None else self.metadata.store(outcome)

    def call(self, deed: Callable[[], Optional[Outcome]]) -> Tuple[Any, Optional[Type]]:
        """Do it, store its edit; the result or the class of the error."""
        return refused(lambda: self.store(deed()))

    def change(self, deed: Callable[[], Outcome], expected: Optional[Type]) -> Any:
        """Do it; it must succeed, or fail as expected. Once more must give the same answer."""
        result, error = self.call(deed)
        assert error is expected, (error, expected)
        if error is None and self.random.random() < 0.3:
            again = deed()
            assert (again.result, again.edit) == (result, None)
        return result

    def both(self, told: Callable[[], Any], deed: Callable[[], Outcome]) -> Tuple[Any, bool]:
        """Do it to the model and to the core, which refuses what the model does.

        The core's result, and whether it was done.
        """
        error = refused(told)[1]
        return self.change(deed, error), error is None

    def path(self) -> str:
        """A path that may exist."""
        depth = self.random.choice((1, 1, 2, 2, 3))
        return render([self.random.choice(NAMES) for _ in range(depth)])

    def likely(self, kind: Type[Node]) -> str:
        """The path of such a node below the root, most often."""
        paths = [path for path, node in self.tree.walk() if isinstance(node, kind)]
        paths = [path for path in paths if path != "/"]
        if not paths or self.random.random() < 0.1:
            return self.path()
        return self.random.choice(paths)

    # -- What readers see.

    def compare(self) -> None:
        """Tree and quotas are the same on both sides, and the core's parts fit together."""
        self.tree.settle()
        self.state.check()
        assert listing(self.state) == plain(self.tree.root)
        for path, node in self.tree.walk():
            if isinstance(node, Directory) and node.quotas != NO_QUOTAS:
                told, use = self.state.reading.quota_usage(ROOT, path).result, self.tree.use(node)
                assert (told.names, told.space) == (use.names, use.space), path
                if path != "/":
                    assert (told.name_quota, told.space_quota) == node.quotas

    def browse(self) -> None:
        """The next page of a listing of the root that goes on while the root changes."""
        rows, more = self.state.reading.list(ROOT, "/", self.browsed, 1).result
        following = [name for name in sorted(self.tree.root.children) if name > self.browsed]
        assert ([row.name for row in rows], more) == (following[:1], len(following) > 1)
        self.browsed = rows[-1].name if more else ""

    def peek(self) -> None:
        """A read may wait for fewer edits than there are, but must not tell of the rest."""
        path = self.random.choice(("/", self.path()))
        for read in ("stat", "list", "block_locations"):
            page = {"stat": (), "list": ("", 3), "block_locations": (0, 1000)}[read]
            outcome, error = refused(lambda: getattr(self.state.reading, read)(ROOT, path, *page))
            if error is None:
                last = self.metadata.last_txid
                seen = self.random.randint(max(self.durable, outcome.depends), last)
                crashed = self.metadata.start(seen)
                # No datanode is going to tell it what it has: who reads would wait for that.
                crashed.blocks.leave_safe_mode(0.0)
                again = getattr(crashed.reading, read)(ROOT, path, *page)
                assert strip(again.result) == strip(outcome.result), (read, path, seen)
