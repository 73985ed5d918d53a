"""A key as one word: what is written is read, and nothing else is."""

import string

import pytest

from zookeeper.fabric import web_password
from zookeeper.fabric.errors import AuthenticationFailed
from zookeeper.fabric.keys import CallerKey

KEY = CallerKey(bytes(range(200, 232)), b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", 1764265200)
WORD = web_password.render(KEY)


@pytest.mark.parametrize(
    "key",
    [KEY, CallerKey(bytes(32), bytes(8), 0), CallerKey(b"\xff" * 32, b"\xff" * 8, (1 << 64) - 1)],
)
def test_what_is_written_is_read(key: CallerKey) -> None:
    word = web_password.render(key)
    assert web_password.parse(word) == key
    assert set(word) <= set(string.ascii_letters + string.digits + "-_")


@pytest.mark.parametrize("word", ["", "w1", WORD[:-1], WORD + "A", WORD + "=", "w" * 100_000])
def test_what_is_cut_or_longer_is_none(word: str) -> None:
    with pytest.raises(AuthenticationFailed, match=f"of {len(word)} characters, expected 66"):
        web_password.parse(word)


@pytest.mark.parametrize(
    "word",
    ["w2" + WORD[2:], "W1" + WORD[2:], WORD[:-1] + ":", WORD[:-1] + "=", WORD[:-1] + "\n",
     WORD[:-1] + "é", WORD[:-1] + "+", WORD[:-1] + "\ud800"],
    ids=ascii,
)
def test_odd_characters_make_none_and_it_is_not_repeated(word: str) -> None:
    with pytest.raises(AuthenticationFailed, match="found no web password, expected w1") as caught:
        web_password.parse(word)
    assert word[2:] not in caught.value.message
