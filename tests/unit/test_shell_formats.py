"""Sizes, dates, columns, formats."""

import pytest

from data_service.protocol.files import FileStatus
from data_service.shell import formats
from data_service.shell.commands.stat import status_format

STATUS = FileStatus("f", 1, "f", 1234, 3, 64, "bob", "staff", 0o640, 1_500, 86_400_000)


@pytest.mark.parametrize(
    "number, text",
    [
        (0, "0"),
        (1023, "1023"),
        (1024, "1 K"),
        (1025, "1.0 K"),
        (1280, "1.3 K"),
        (3_000_000, "2.9 M"),
        (512 << 20, "512 M"),
        (1 << 20, "1 M"),
        ((1 << 20) - 1, "1.0 M"),
        ((1 << 30) - (1 << 19), "1023.5 M"),
        (3 << 40, "3 T"),
        ((1 << 63) - 1, "8.0 E"),
    ],
)
def test_sizes_for_people(number: int, text: str) -> None:
    assert formats.scaled(number) == text


def test_sizes_the_long_way() -> None:
    assert formats.bytes_long(2164425392128) == "2164425392128 (1.97 TB)"
    assert formats.bytes_long(196608) == "196608 (192 KB)"
    assert formats.bytes_long(1024) == "1024 (1 KB)"
    assert formats.bytes_long(0) == "0 (0 B)"


def test_shares() -> None:
    assert formats.percent(1, 8, 2) == "12.50%"
    assert formats.percent(3, 10, 0) == "30%"
    assert formats.percent(0, 0, 0) == "0%"
    assert formats.single_precision(200 / 3) == "66.666664"
    assert formats.single_precision(100.0) == "100.0"
    assert formats.single_precision(0) == "0.0"


@pytest.mark.parametrize(
    "mode, letters",
    [
        (0o755, "rwxr-xr-x"),
        (0o644, "rw-r--r--"),
        (0o1777, "rwxrwxrwt"),
        (0o1776, "rwxrwxrwT"),
        (0, "---------"),
    ],
)
def test_modes(mode: int, letters: str) -> None:
    assert formats.permissions(mode) == letters


def test_columns() -> None:
    assert formats.columns([]) == []
    assert formats.columns([("1", "22", "a b"), ("333", "4", "c")]) == [
        "1    22  a b",
        "333  4   c",
    ]
    assert formats.columns([("Name", "Size"), ("x", "1")], right=(1,)) == [
        "Name  Size",
        "x        1",
    ]


def test_stat_formats() -> None:
    pattern = "%a|%A|%b|%F|%g|%n|%o|%r|%u|%x|%X|%y|%Y|%%|%q|%"
    assert status_format(pattern, STATUS, "name") == (
        "640|rw-r-----|1234|regular file|staff|name|64|3|bob|1970-01-02 00:00:00|86400000|"
        "1970-01-01 00:00:01|1500|%|q|"
    )
    assert status_format("%F", STATUS._replace(kind="d"), "") == "directory"


def test_what_a_terminal_cannot_show() -> None:
    assert formats.printable("a\nb\033é") == "a?b?é"
