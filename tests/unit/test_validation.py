"""What a peer sent is checked by exact type: a subclass can behave like anything."""

from typing import Any, Callable

import pytest

from data_service.protocol.blocks import Block
from data_service.protocol.validation import (
    TARGETS_MAX,
    check_block,
    check_blocks,
    check_integers,
    check_operation,
    check_strings,
    check_targets,
)
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.kinds import INTEGER_MAX


class Liar(int):
    """Compares as it likes."""

    def __le__(self, other: object) -> bool:
        return True


class Text(str):
    """A string with a mind of its own."""


GOOD = [
    (check_integers, 0), (check_integers, INTEGER_MAX),
    (check_strings, ""), (check_strings, "é"),
    (check_targets, ()), (check_targets, (("id", "host", 65535), ("", "", 0))),
    (check_block, (1, 2, 3)),
    (check_blocks, ()), (check_blocks, ((1, 2, 3),)),
    (check_operation, ("client", 0)),
]

BAD = [
    *((check_integers, value) for value in (
        -1, INTEGER_MAX + 1, 10**5000, -(10**5000), True, 1.0, "1", None, (1,), Liar(-5))),
    *((check_strings, value) for value in (b"x", None, 1, Text("x"), ("x",))),
    *((check_targets, value) for value in (
        [], None, "id", (("id", "host"),), (["id", "host", 1],), (("id", "host", "1"),),
        (("id", b"host", 1),), ((1, "host", 1),), (("id", "host", 65536),), (("id", "host", -1),),
        (("id", "host", 1),) * (TARGETS_MAX + 1))),
    *((check_block, value) for value in (None, (1, 2), [1, 2, 3], (1, 2, -3), (1, 2, 3.0),
                                         Block(1, 2, 3))),
    *((check_blocks, value) for value in (None, [(1, 2, 3)], ((1, 2),), (None,))),
    *((check_operation, value) for value in (None, ("c",), ("c", -1), (b"c", 1), ["c", 1],
                                             ("c", 1, 2))),
]


@pytest.mark.parametrize("check, value", GOOD)
def test_what_is_right_passes(check: Callable[[Any], Any], value: Any) -> None:
    check(value)


@pytest.mark.parametrize("check, value", BAD, ids=lambda value: type(value).__name__)
def test_what_is_wrong_is_refused_in_few_words(check: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check(value)
    assert 10 < len(caught.value.message) < 200


def test_several_values_are_all_checked() -> None:
    check_integers(1, 2, 3)
    with pytest.raises(InvalidArgument):
        check_integers(1, 2, -3)
    with pytest.raises(InvalidArgument):
        check_strings("a", 2)


def test_blocks_come_back_as_blocks() -> None:
    assert repr(check_blocks(((1, 2, 3),))) == repr((Block(1, 2, 3),))


def test_a_very_long_text_is_refused_before_it_is_formatted() -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_strings("x" * 65536, "\u00e9" * 8_000_000)
    assert caught.value.message == "a text of 8000000 characters is too long: 65536 are allowed"
    with pytest.raises(InvalidArgument) as caught:
        check_strings(("x" * 1_000_000,) * 100)
    assert caught.value.message == "expected text, found a list of 100 values"
