"""The digest of an image: the same however its pages are cut, another for every other image."""

from random import Random
from typing import Dict, List

import pytest

from metadata_service.edits import TABLES, Row, encode_row
from metadata_service.record.image_digest import ImageDigest
from zookeeper.fabric.errors import InvalidArgument

Rows = Dict[str, List[Row]]


def rows_of(seed: int) -> Rows:
    """Some rows of some tables; the digest does not look into them."""
    random = Random(seed)
    return {name: [(key, seed) for key in range(random.randrange(7))] for name in TABLES}


def digest_of(rows: Rows, random: Random, again: float = 0.0) -> str:
    """Of these rows, in pages of any size, of which some come twice."""
    digest = ImageDigest()
    for name, all_rows in rows.items():
        left, after = list(all_rows), None
        while True:
            page = left[: random.randrange(1, 4)]
            lines = [encode_row(row) for row in page]
            last = page[-1][0] if page else None
            for _ in range(1 + (random.random() < again)):
                digest.add(name, after, lines, last)
            if not page:
                break
            left, after = left[len(page):], last
    return digest.digest()


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_same_however_the_pages_are_cut_and_whichever_are_asked_for_again(
    seed: int,
) -> None:
    random = Random(seed)
    rows = rows_of(seed)
    assert len({digest_of(rows, random, again) for again in (0, 0, 0.5, 1)}) == 1


@pytest.mark.parametrize("seed", range(20))
def test_it_tells_every_other_image(seed: int) -> None:
    random, rows = Random(seed), rows_of(seed)
    known = digest_of(rows, random)
    for name in TABLES:
        more = {**rows, name: [*rows[name], (99, seed)]}
        assert digest_of(more, random) != known
        if rows[name]:
            assert digest_of({**rows, name: rows[name][:-1]}, random) != known
            assert digest_of({**rows, name: [*rows[name][:-1], (rows[name][-1][0], 99)]},
                             random) != known


def test_a_row_is_not_taken_for_one_of_another_table() -> None:
    first, second = list(TABLES)[:2]
    nothing: Rows = {name: [] for name in TABLES}
    digests = {digest_of({**nothing, name: [(1, 1)]}, Random(1)) for name in (first, second)}
    assert len(digests) == 2


def test_a_page_that_was_passed_over_is_missed() -> None:
    first, second = list(TABLES)[:2]
    digest = ImageDigest()
    digest.add(first, None, ["[1]"], 1)
    with pytest.raises(InvalidArgument):
        digest.add(first, 2, ["[3]"], 3)
    with pytest.raises(InvalidArgument):
        digest.add(second, 1, ["[3]"], 3)
    digest.add(second, None, ["[1]"], 1)
    with pytest.raises(InvalidArgument):
        digest.add(first, 1, ["[2]"], 2)
