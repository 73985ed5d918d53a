"""What is written into files: bytes that follow from a number, and are recognised again.

A *piece* is what one call writes, and has a number; its size follows from the number. The content
of a file is pieces, or beginnings of pieces, one behind another. It is known by a *key* that
follows from its bytes alone. So two contents are one exactly when nobody who reads them could tell
them apart: of one byte there are 256, however many pieces of one byte were written.
"""

import hashlib
import itertools
from typing import Any, Collection, Dict, List, Sequence, Tuple

from tests.support.disks.replicas import noise

Recipe = Tuple[Tuple[int, int], ...]
"""(number of a piece, how many bytes of it), in order."""

_NUMBER_BYTES = 8
_DIGEST_LETTERS = 16


class Contents:
    """Makes pieces, and knows the contents that can be made of them.

    `new`, `data` and `key_of` are for clients, of any thread; the rest is for the judge, who is
    one.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = list(sizes)
        self._numbers = itertools.count(1)
        self._recipes: Dict[str, Recipe] = {}
        self._made: Dict[tuple, str] = {}

    def new(self, some: bool = False) -> int:
        """The number of a piece that was never used before; with `some` of at least one byte."""
        number = next(self._numbers)
        while some and not self._size(number):
            number = next(self._numbers)
        return number

    def data(self, number: int) -> bytes:
        """The bytes of a piece. Those that have room for it begin with their number."""
        size = self._size(number)
        if size < _NUMBER_BYTES:
            return noise(size, number)
        return number.to_bytes(_NUMBER_BYTES, "big") + noise(size - _NUMBER_BYTES, number)

    @staticmethod
    def key_of(data: bytes) -> str:
        """How these bytes are known: their length and a digest."""
        return f"{len(data)}:{hashlib.sha256(data).hexdigest()[:_DIGEST_LETTERS]}"

    # What the models do with contents.

    def piece(self, number: int) -> str:
        """The key of a content that is one piece."""
        return self._make(("piece", number), ((number, self._size(number)),))

    def joined(self, *keys: str) -> str:
        """The key of known contents, one behind another."""
        made = ("joined", *keys)
        if made in self._made:
            return self._made[made]
        return self._make(made, sum((self._recipes[key] for key in keys), ()))

    def cut(self, key: str, length: int) -> str:
        """The key of the first `length` bytes of a known content."""
        made = ("cut", key, length)
        if made in self._made:
            return self._made[made]
        recipe: List[Tuple[int, int]] = []
        for number, size in self._recipes[key]:
            recipe.append((number, min(size, length)))
            length -= recipe[-1][1]
        return self._make(made, tuple(recipe))

    @staticmethod
    def length(key: str) -> int:
        """How many bytes a content has."""
        return int(key.partition(":")[0])

    def bytes_of(self, key: str) -> bytes:
        """The bytes of a known content."""
        return self._bytes(self._recipes[key])

    def describe(self, key: str) -> str:
        """A content in words, for who reads a history."""
        if key not in self._recipes:
            return "nobody wrote it"
        parts = [
            f"piece {number}" + ("" if size == self._size(number) else f" up to byte {size}")
            for number, size in self._recipes[key]
        ]
        return ", ".join(parts) or "nothing"

    # Over a long time.

    def forget_all_but(self, keys: Collection[str]) -> None:
        """Know only these contents any more, of those that were written so far."""
        self._recipes = {key: self._recipes[key] for key in keys if key in self._recipes}
        self._made = {}

    def recipes(self) -> Dict[str, Recipe]:
        """How each known content is made, to be given to `remember`."""
        return dict(self._recipes)

    def remember(self, recipes: Any) -> None:
        """Know contents that another one knew, as it told them or as they came back from JSON."""
        for key, recipe in recipes.items():
            self._recipes[key] = tuple((number, size) for number, size in recipe)

    def _size(self, number: int) -> int:
        return self.sizes[number % len(self.sizes)]

    def _make(self, made: tuple, recipe: Recipe) -> str:
        key = self._made.get(made)
        if key is None:
            recipe = tuple((number, size) for number, size in recipe if size)
            key = self._made[made] = self.key_of(self._bytes(recipe))
            self._recipes.setdefault(key, recipe)
        return key

    def _bytes(self, recipe: Recipe) -> bytes:
        return b"".join(self.data(number)[:size] for number, size in recipe)
