"""Paths: what is one, what is none, and why."""

from typing import Any, Tuple

import pytest

from data_service.namenode.namespace.paths import (
    DEPTH_MAX,
    NAME_BYTES_MAX,
    PATH_BYTES_MAX,
    parse,
    render,
)
from zookeeper.fabric.errors import InvalidArgument


@pytest.mark.parametrize(
    "path, names",
    [
        ("/", ()),
        ("/a", ("a",)),
        ("/a/b c/%41#+", ("a", "b c", "%41#+")),
        ("/é/日本/🙂", ("é", "日本", "🙂")),
        ("/...", ("...",)),
        ("/.hidden/..x", (".hidden", "..x")),
        ("/a:b/-r", ("a:b", "-r")),
        ("/d/.reserved", ("d", ".reserved")),
        ("/" + "x" * NAME_BYTES_MAX, ("x" * NAME_BYTES_MAX,)),
        ("/" + "é" * 127, ("é" * 127,)),
        ("/a" * DEPTH_MAX, ("a",) * DEPTH_MAX),
    ],
)
def test_a_path_is_its_components(path: str, names: Tuple[str, ...]) -> None:
    assert parse(path) == names
    assert render(names) == path


@pytest.mark.parametrize(
    "path, why",
    [
        ("", "Can not create a Path from an empty string"),
        ("a/b", "not absolute"),
        ("//", "Invalid path name"),
        ("/a/", "Invalid path name"),
        ("/a//b", "Invalid path name"),
        ("/a/./b", "Invalid path name"),
        ("/..", "Invalid path name"),
        ("/a/../b", "Invalid path name"),
        ("/a\0b", "NUL"),
        ("/\ud800", "not valid Unicode"),
        ("/a/.snapshot/b", '".snapshot" is a reserved name.'),
        ("/.reserved", '".reserved" is reserved'),
        ("/.reserved/raw", '".reserved" is reserved'),
        ("/" + "x" * (NAME_BYTES_MAX + 1), "limit=255 length=256"),
        ("/" + "é" * 128, "limit=255 length=256"),
        ("/a" * (DEPTH_MAX + 1), "Pathname too long.  Limit 8000 characters, 1000 levels."),
        (("/" + "x" * 199) * 40 + "/y", "Pathname too long."),
        (("/" + "é" * 99) * 41, "Pathname too long."),
        (b"/a", "must be a text"),
        (None, "must be a text"),
    ],
)
def test_what_is_no_path_is_refused(path: Any, why: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(path)
    assert why in caught.value.message
    assert caught.value.message.isascii() or "é" in path


def test_the_longest_path_is_one() -> None:
    path = ("/" + "x" * 199) * 40
    assert len(path) == PATH_BYTES_MAX
    assert len(parse(path)) == 40


def test_a_subclass_of_text_is_refused() -> None:
    class Text(str):
        """What a peer must not be able to bring."""

    with pytest.raises(InvalidArgument):
        parse(Text("/a"))
