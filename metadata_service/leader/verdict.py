"""What follows from the digests of the members' images: whose rows are not what was decided.

All are of one place, so they must be the same. When some differ, the digest that a majority of
those who decide has is the right one. Without one nobody can tell who is right, and a person is
told.
"""

from collections import Counter
from typing import Mapping, NamedTuple, Tuple


class Verdict(NamedTuple):
    """The digest that is right, or empty when nobody can tell; who has another one; and who could
    not be asked. All by the words by which members were asked for."""

    digest: str
    differing: Tuple[str, ...] = ()
    silent: Tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether all members have the same rows, and were asked."""
        return bool(self.digest) and not (self.differing or self.silent)


def verdict_on(digests: Mapping[str, str], members: int) -> Verdict:
    """The verdict, by the digests that members told, empty for who told none; of so many members
    that decide."""
    told = {member: digest for member, digest in digests.items() if digest}
    silent = tuple(sorted(set(digests) - set(told)))
    (digest, count), = Counter(told.values()).most_common(1) or [("", 0)]
    if 2 * count <= members:
        return Verdict("", tuple(sorted(told)) if len(set(told.values())) > 1 else (), silent)
    differing = tuple(sorted(member for member in told if told[member] != digest))
    return Verdict(digest, differing, silent)
