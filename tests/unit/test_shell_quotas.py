"""setQuota, clrQuota, setSpaceQuota, clrSpaceQuota, and what count shows of quotas."""

import json
from pathlib import Path
from typing import Iterator

import pytest

from data_service.protocol.files import QuotaUsage
from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import PermissionDenied

HEADER = (
    "       QUOTA       REM_QUOTA     SPACE_QUOTA REM_SPACE_QUOTA    DIR_COUNT   FILE_COUNT"
    "       CONTENT_SIZE PATHNAME\n"
)

NO_NUMBER = " is not a valid value for a quota."


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on a file system with the file /d/f and the empty directory /e."""
    with Shell(monkeypatch, tmp_path) as made:
        made.filesystem.write("/d/f", b"x" * 2048, replication=2)
        made.filesystem.mkdir("/e")
        yield made


def quotas(shell: Shell, path: str) -> tuple:
    """The quotas of a directory."""
    usage: QuotaUsage = shell.filesystem.quota_usage(path)
    return usage.name_quota, usage.space_quota


def test_quotas_are_set_and_lifted_in_silence(shell: Shell) -> None:
    assert shell.good("dfsadmin", "-setQuota", "7", "/d", "/e") == ""
    assert quotas(shell, "/d") == quotas(shell, "/e") == (7, -1)
    assert shell.good("admin", "-setSpaceQuota", "5g", "/d") == ""
    assert quotas(shell, "/d") == (7, 5 << 30)
    assert shell.good("clrQuota", "/d", "/e") == ""
    assert quotas(shell, "/d") == (-1, 5 << 30)
    assert shell.good("-clrSpaceQuota", "/*") == ""
    assert quotas(shell, "/d") == (-1, -1)


@pytest.mark.parametrize(
    "text, value",
    [("0", 0), ("1K", 1024), ("2m", 2 << 20), ("3t", 3 << 40), ("4P", 4 << 50), ("7e", 7 << 60),
     ("0" * 30 + "5", 5)],
)
def test_a_quota_may_have_a_binary_prefix(shell: Shell, text: str, value: int) -> None:
    shell.good("setSpaceQuota", text, "/d")
    assert quotas(shell, "/d") == (-1, value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("a5", f'"a5"{NO_NUMBER}'),
        ("", f'""{NO_NUMBER}'),
        ("g", f'"g"{NO_NUMBER}'),
        ("\u0665", f'"\u0665"{NO_NUMBER}'),
        ("5x", "Invalid size prefix 'x' in '5x'. Allowed prefixes are "
               "k, m, g, t, p, e(case insensitive)"),
        ("8e", "8e does not fit in a Long"),
        ("9" * 5000, "9" * 5000 + " does not fit in a Long"),
        ("-1", "Illegal option -1"),
    ],
)  # fmt: skip
def test_what_is_no_quota(shell: Shell, text: str, message: str) -> None:
    for command in ("setSpaceQuota", "setQuota"):
        first, usage = shell.bad(command, text, "/d", status=255).splitlines()
        if command == "setQuota" and message.endswith(NO_NUMBER):
            message = f'For input string: "{text}"'
        assert first == f"{command}: {message}"
        assert usage.startswith(f"Usage: hdfs dfsadmin [-{command} <quota> ")
    assert quotas(shell, "/d") == (-1, -1)


def test_no_quota_of_no_names(shell: Shell) -> None:
    assert shell.bad("setQuota", "0", "/d", status=255).splitlines()[0] == (
        "setQuota: Invalid values for quota : 0 and 9223372036854775807"
    )


def test_missing_arguments(shell: Shell) -> None:
    assert shell.bad("dfsadmin", "-setQuota", "3", status=255) == (
        "setQuota: Not enough arguments: expected 2 but got 1\n"
        "Usage: hdfs dfsadmin [-setQuota <quota> <dirname>...<dirname>]\n"
    )
    for command in ("clrQuota", "clrSpaceQuota"):
        assert "expected 1 but got 0" in shell.bad(command, status=255)


def test_every_directory_is_tried(shell: Shell) -> None:
    result = shell.run("setQuota", "3", "/no", "/d/f", "/d")
    assert result == (
        255, "",
        "setQuota: Directory does not exist: /no\nsetQuota: `/d/f': Is not a directory\n",
    )  # fmt: skip
    assert quotas(shell, "/d") == (3, -1)


def test_only_the_superuser(shell: Shell) -> None:
    denied = PermissionDenied("Access denied for user alice. Superuser privilege is required")
    shell.filesystem.fail("set_quota", denied)
    for words in (("setQuota", "3"), ("clrQuota",), ("setSpaceQuota", "3"), ("clrSpaceQuota",)):
        assert shell.bad(*words, "/d", status=255) == f"{words[0]}: {denied.message}\n"


def test_local_directories_and_storage_types_have_no_quotas(shell: Shell) -> None:
    assert shell.bad("clrQuota", f"file://{shell.folder}", status=255) == (
        "clrQuota: FileSystem file:/// is not an HDFS file system\n"
    )
    for words in (("setSpaceQuota", "3", "-storageType", "SSD"),
                  ("clrSpaceQuota", "-storageType", "SSD")):  # fmt: skip
        assert "not supported" in shell.bad(*words, "/d", status=255)


def test_count_shows_quotas_and_what_is_left(shell: Shell) -> None:
    shell.good("setQuota", "10", "/d")
    shell.good("setSpaceQuota", "1m", "/d")
    shell.good("setQuota", "1", "/e")
    assert shell.good("count", "-q", "-v", "/d", "/e", "/d/f") == (
        HEADER
        + "          10               8         1048576         1044480            1            1"
        "               2048 /d\n"
        "           1               0            none             inf            1            0"
        "                  0 /e\n"
        "        none             inf            none             inf            0            1"
        "               2048 /d/f\n"
    )
    assert shell.good("count", "-u", "/d") == (
        "          10               8         1048576         1044480 /d\n"
    )
    assert shell.good("count", "-q", "-h", "/d") == (
        "          10               8             1 M          1020 K            1            1"
        "                2 K /d\n"
    )


def test_count_shows_a_quota_that_is_exceeded(shell: Shell) -> None:
    shell.good("setQuota", "1", "/d")
    shell.good("setSpaceQuota", "0", "/d")
    assert shell.good("count", "-u", "/d") == (
        "           1              -1               0           -4096 /d\n"
    )
    assert shell.good("count", "-u", "-h", "/d") == (
        "           1              -1               0            -4 K /d\n"
    )


def test_count_of_quotas_only_counts_no_tree(shell: Shell) -> None:
    shell.good("setQuota", "5", "/d")
    before = shell.filesystem.calls.count("content_summary")
    shell.good("count", "/d")
    shell.filesystem.quota_usage = lambda path: QuotaUsage(5, 2, -1, 0)
    shell.good("count", "-u", "/d")
    assert shell.filesystem.calls.count("content_summary") == before + 1


def test_count_of_a_local_directory_has_no_quotas(shell: Shell) -> None:
    out = shell.good("count", "-u", f"file://{shell.folder}")
    assert out.startswith("        none             inf            none             inf file:")


def test_count_tells_a_program_of_quotas(shell: Shell) -> None:
    shell.good("setSpaceQuota", "1m", "/d")
    assert json.loads(shell.good("count", "-q", "--json", "/d")) == [
        {
            "directories": 1, "files": 1, "length": 2048, "space": 4096, "path": "/d",
            "name_quota": None, "space_quota": 1048576, "names_used": 2, "space_used": 4096,
        }
    ]  # fmt: skip
