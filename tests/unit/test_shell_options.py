"""Options as HDFS reads them."""

import pytest

from data_service.shell.arguments.options import parse
from data_service.shell.failures import UsageError


def test_options_end_at_the_first_argument() -> None:
    options = parse(["-r", "-skipTrash", "a", "-f", "b"], "r f skipTrash")
    assert options.has("r") and options.has("skipTrash", "x") and not options.has("f")
    assert options.arguments == ["a", "-f", "b"]


def test_a_lone_dash_is_an_argument_and_two_dashes_end_options() -> None:
    assert parse(["-f", "-", "x"], "f").arguments == ["-", "x"]
    options = parse(["-f", "--", "-f", "x"], "f")
    assert options.arguments == ["-f", "x"]


def test_options_are_whole_words() -> None:
    with pytest.raises(UsageError) as caught:
        parse(["-qh", "a"], "q h")
    assert caught.value.message == "Illegal option -qh"


def test_values() -> None:
    options = parse(["-t", "4", "-s", "a", "b"], "f", "t s", least=2)
    assert options.number("t", 1) == 4
    # The arguments need every word that is left, so -s gets none.
    assert options.value("s") == "" and options.arguments == ["a", "b"]
    assert options.value("q") is None and options.number("q", 7) == 7
    with pytest.raises(UsageError, match='For input string: "x"'):
        parse(["-t", "x", "a"], "", "t").number("t", 1)


@pytest.mark.parametrize(
    "words, message",
    [
        (["a"], "Not enough arguments: expected 2 but got 1"),
        (["a", "b", "c", "d"], "Too many arguments: expected 3 but got 4"),
        (["-x", "a", "b"], "Illegal option -x"),
    ],
)
def test_faults(words: list, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words, "f", least=2, most=3)
    assert caught.value.message == message


def test_unknown_options_can_be_arguments() -> None:
    options = parse(["-L", "-name", "x"], "L", ignore_unknown=True)
    assert options.has("L") and options.arguments == ["-name", "x"]
