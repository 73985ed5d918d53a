"""Paths and globs as people type them."""

from typing import List

import pytest

from data_service.filesystem import globs
from data_service.filesystem.globs import IllegalPattern
from data_service.filesystem.paths import resolve
from data_service.shell.arguments import paths
from data_service.shell.failures import PathError, UsageError

HOME = "/user/root"


@pytest.mark.parametrize(
    "text, scheme, authority, path",
    [
        ("/a/b", "", None, "/a/b"),
        ("a", "", None, "a"),
        ("hdfs://h:1/a", "hdfs", "h:1", "/a"),
        ("hdfs:///a", "hdfs", None, "/a"),
        ("pyhdfs://h:1", "pyhdfs", "h:1", ""),
        ("file:/a", "file", None, "/a"),
        ("/a:b", "", None, "/a:b"),
        ("d/a:b", "", None, "d/a:b"),
    ],
)
def test_a_path_is_taken_apart(text: str, scheme: str, authority: str, path: str) -> None:
    assert paths.parse(text) == (text, scheme, authority, path)


@pytest.mark.parametrize("text", ["", ":a", "a:b"])
def test_what_cannot_be_a_path(text: str) -> None:
    with pytest.raises(UsageError):
        paths.parse(text)


@pytest.mark.parametrize(
    "typed, path",
    [
        ("/", "/"),
        ("//a///b/", "/a/b"),
        (".", HOME),
        ("a/./b", HOME + "/a/b"),
        ("..", "/user"),
        ("../../../..", "/"),
        ("/a/../../b", "/b"),
        ("a b%#é", HOME + "/a b%#é"),
    ],
)
def test_a_path_becomes_absolute(typed: str, path: str) -> None:
    assert resolve(typed, HOME) == path


@pytest.mark.parametrize(
    "typed, found, shown",
    [
        ("d", HOME + "/d", "d"),
        ("./d/", HOME + "/d", "d"),
        (".", HOME, "."),
        ("..", "/user", ".."),
        ("../x/..", "/user", ".."),
        ("../../a", "/a", "../../a"),
        ("/user/root/d/", HOME + "/d", HOME + "/d"),
        ("hdfs:///d", "/d", "hdfs:///d"),
        ("hdfs://n:1/d/../e", "/e", "hdfs://n:1/e"),
        ("file:/t", "/t", "file:///t"),
    ],
)
def test_what_was_found_is_shown_in_the_typed_form(typed: str, found: str, shown: str) -> None:
    assert paths.shown(paths.parse(typed), found, HOME) == shown


def test_children_continue_the_typed_form() -> None:
    assert paths.child(".", "x") == "x"
    assert paths.child("..", "x") == "../x"
    assert paths.child("/", "x") == "/x"
    assert paths.child("hdfs:///", "x") == "hdfs:///x"
    assert paths.child("hdfs://n:1", "x") == "hdfs://n:1/x"


def test_a_name_that_utf_8_cannot_hold_is_refused() -> None:
    with pytest.raises(PathError, match="not valid UTF-8"):
        paths.check_name("a\udcff", "/a\udcff")
    paths.check_name("é", "/é")


NAMES = ["a", "ab", "abc", ".hidden", "_log", "a*", "a?", "x1", "x2", "x-", "[", "a b", "é", "B"]


@pytest.mark.parametrize(
    "pattern, matching",
    [
        ("*", NAMES),
        ("?", ["a", "[", "é", "B"]),
        ("a*", ["a", "ab", "abc", "a*", "a?", "a b"]),
        ("a\\*", ["a*"]),
        ("a\\?", ["a?"]),
        ("x[12]", ["x1", "x2"]),
        ("x[^1]", ["x2", "x-"]),
        ("x[!1]", ["x2", "x-"]),
        ("x[0-9]", ["x1", "x2"]),
        ("x[1-]", ["x1", "x-"]),
        ("[\\[]", ["["]),
        ("[[]", ["["]),
        ("*d*n", [".hidden"]),
        ("a.c", []),
        ("\\x1", ["x1"]),
    ],
)
def test_a_component_matches(pattern: str, matching: List[str]) -> None:
    compiled = globs.compile_component(pattern)
    assert [name for name in NAMES if compiled.fullmatch(name)] == matching


def test_names_match_with_groups_and_without_case() -> None:
    assert globs.NameMatcher("{a,x?}").matches("x1")
    assert not globs.NameMatcher("{a,x?}").matches("b")
    assert globs.NameMatcher("b", ignore_case=True).matches("B")
    assert not globs.NameMatcher("b").matches("B")


@pytest.mark.parametrize(
    "pattern, expanded",
    [
        ("/a", ["/a"]),
        ("/{a,b}", ["/a", "/b"]),
        ("/{a/b,c}/d", ["/a/b/d", "/c/d"]),
        ("{a,{b,c}d}", ["a", "bd", "cd"]),
        ("{a,b}{1,2}", ["a1", "a2", "b1", "b2"]),
        ("a{,b}", ["a", "ab"]),
        ("\\{a,b\\}", ["\\{a,b\\}"]),
        ("a}", ["a}"]),
        ("{a\\,b,c}", ["a\\,b", "c"]),
    ],
)
def test_groups_are_expanded(pattern: str, expanded: List[str]) -> None:
    assert globs.expand_braces(pattern) == expanded


@pytest.mark.parametrize(
    "pattern, fault",
    [
        ("[x", "Unclosed character class at pos 2: `[x`"),
        ("a[^]", "Unclosed character class at pos 4: `a[^]`"),
        ("{x", "Unclosed group at pos 2: `{x`"),
        ("x\\", "Missing escaped character at pos 2: `x\\`"),
        ("[z-a]", "at pos 5: `[z-a]`"),
    ],
)
def test_an_unclosed_pattern_is_refused(pattern: str, fault: str) -> None:
    with pytest.raises(IllegalPattern) as caught:
        globs.NameMatcher(pattern)
    assert caught.value.message.startswith("Illegal file pattern: error parsing regexp: ")
    assert caught.value.message.endswith(fault)


def test_what_is_a_glob() -> None:
    assert [text for text in ("a", "a*", "a?", "[a", "{", "\\*", "\\[a]", "\\\\*") if
            globs.is_glob(text)] == ["a*", "a?", "[a", "{", "\\\\*"]
    assert globs.unescape("\\*\\\\a\\b") == "*\\ab"
