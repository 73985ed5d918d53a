"""Which seed notices a planted mistake: seeds are other runs after any change of what they run.

So no test names the one seed that must notice it: it looks through a number of them, in an order in
which one is soon met, and fails when none does.
"""

import contextlib
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Optional, Protocol, Sequence

import pytest


class Planted(Protocol):
    """A mistake: each patch replaces `owner.attribute` by something else."""

    @property
    def patches(self) -> Sequence[Any]:
        """(owner, attribute, replacement) of each."""

    def seeds(self) -> Iterable[int]:
        """Where to look, the likeliest first; not endless."""

    def notices(self, error: AssertionError) -> bool:
        """Whether a run that ends so has noticed it, and no other defect."""


class Notice(NamedTuple):
    """The seed that noticed a mistake, what it said, and how many were tried before."""

    seed: int
    complaint: str
    tried: int


@contextlib.contextmanager
def planted(mistake: Planted) -> Iterator[None]:
    """The code is wrong as long as this lasts."""
    with pytest.MonkeyPatch.context() as patching:
        for patch in mistake.patches:
            patching.setattr(*patch)
        yield


def first_notice(mistake: Planted, run: Callable[[int], object]) -> Optional[Notice]:
    """What the first seed says that notices it; None when none of those to look at does."""
    with planted(mistake):
        for tried, seed in enumerate(mistake.seeds()):
            try:
                run(seed)
            except AssertionError as error:
                if mistake.notices(error):
                    return Notice(seed, str(error), tried)
    return None
