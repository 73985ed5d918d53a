"""du, df, count."""

import json
from pathlib import Path
from typing import Iterator

import pytest

from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import PermissionDenied


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def fill(shell: Shell) -> None:
    """Two files in a tree, and an empty directory."""
    shell.filesystem.write("/d/e/g", b"x" * 2048, replication=2)
    shell.filesystem.write("/d/f", b"y" * 5)
    shell.filesystem.mkdir("/empty")


def test_du_shows_one_level(shell: Shell) -> None:
    fill(shell)
    assert shell.good("du", "/d") == "2048  4096  /d/e\n5     5     /d/f\n"
    assert shell.good("du", "-s", "/d") == "2053  4101  /d\n"
    assert shell.good("du", "-s", "-h", "/d/e") == "2 K  4 K  /d/e\n"
    assert shell.good("du", "/d/f") == "5  5  /d/f\n"


def test_du_of_several_arguments_is_one_table(shell: Shell) -> None:
    fill(shell)
    assert shell.good("du", "/d/f", "/d/e") == "5     5     /d/f\n2048  4096  /d/e/g\n"


def test_du_of_nothing(shell: Shell) -> None:
    fill(shell)
    assert shell.good("du", "/empty") == ""
    assert shell.good("du", "-v", "/empty") == ""
    assert shell.good("du", "-s", "/empty") == "0  0  /empty\n"


def test_du_with_a_header(shell: Shell) -> None:
    fill(shell)
    assert shell.good("du", "-v", "/d").splitlines() == [
        "SIZE  DISK_SPACE_CONSUMED_WITH_ALL_REPLICAS  FULL_PATH_NAME",
        "2048  4096                                   /d/e",
        "5     5                                      /d/f",
    ]


def test_du_goes_on_after_an_error(shell: Shell) -> None:
    fill(shell)
    shell.filesystem.fail("content_summary", PermissionDenied("Permission denied: e"))
    result = shell.run("du", "/d")
    assert result == (1, "5  5  /d/f\n", "du: Permission denied: e\n")


def test_du_and_df_as_json(shell: Shell) -> None:
    fill(shell)
    assert json.loads(shell.good("du", "-s", "--json", "/d")) == [
        {"length": 2053, "space": 4101, "path": "/d"}
    ]
    assert json.loads(shell.good("df", "--json")) == [
        {"filesystem": "hdfs://localhost:1800", "capacity": 3000, "used": 300, "remaining": 2700}
    ]


def test_df(shell: Shell) -> None:
    assert shell.good("df").splitlines() == [
        "Filesystem             Size  Used  Available  Use%",
        "hdfs://localhost:1800  3000   300       2700   10%",
    ]
    assert shell.good("-fs", "hdfs://127.0.0.1:1800", "df", "-h", "/").splitlines() == [
        "Filesystem              Size  Used  Available  Use%",
        "hdfs://127.0.0.1:1800  2.9 K   300      2.6 K   10%",
    ]
    assert shell.bad("df", "/no") == "df: `/no': No such file or directory\n"


def test_df_of_an_empty_cluster_divides_by_nothing(shell: Shell) -> None:
    shell.filesystem.status = shell.filesystem.status._replace(capacity=0, used=0, remaining=0)
    assert shell.good("df").splitlines()[1].endswith("  0%")


def test_count(shell: Shell) -> None:
    fill(shell)
    assert shell.good("count", "/d") == "           2            2               2053 /d\n"
    assert shell.good("count", "/d/f") == "           0            1                  5 /d/f\n"
    assert shell.good("count", "-h", "/d") == "           2            2              2.0 K /d\n"


def test_count_with_a_header_and_quotas(shell: Shell) -> None:
    fill(shell)
    assert shell.good("count", "-q", "-v", "/empty").splitlines() == [
        "       QUOTA       REM_QUOTA     SPACE_QUOTA REM_SPACE_QUOTA    DIR_COUNT   FILE_COUNT"
        "       CONTENT_SIZE PATHNAME",
        "        none             inf            none             inf            1            0"
        "                  0 /empty",
    ]
    assert shell.good("count", "-u", "/empty") == (
        "        none             inf            none             inf /empty\n"
    )
    assert shell.good("count", "-q", "-t", "disk", "-v", "/empty").splitlines() == [
        "   DISK_QUOTA    REM_DISK_QUOTA PATHNAME",
        "         none               inf /empty",
    ]
    assert shell.bad("count", "-q", "-t", "tape", "/empty", status=255).startswith("-count: ")


def test_count_of_redundancy_and_snapshots(shell: Shell) -> None:
    shell.filesystem.write("/d/f", b"123")
    assert shell.good("count", "-e", "-v", "/d", "/d/f").splitlines() == [
        "   DIR_COUNT   FILE_COUNT       CONTENT_SIZE ERASURECODING_POLICY PATHNAME",
        "           1            1                  3 EC: /d",
        "           0            1                  3 Replicated /d/f",
    ]
    assert shell.good("count", "-s", "-v", "/d").splitlines() == [
        "   DIR_COUNT   FILE_COUNT       CONTENT_SIZE    SNAPSHOT_LENGTH      SNAPSHOT_FILE_COUNT"
        "       SNAPSHOT_DIR_COUNT      SNAPSHOT_SPACE_CONSUMED PATHNAME",
        "           1            1                  3                  0                        0"
        "                        0                            0 /d",
    ]


def test_count_needs_a_path(shell: Shell) -> None:
    assert "Not enough arguments: expected 1 but got 0" in shell.bad("count", status=255)
    assert json.loads(shell.good("count", "--json", "/"))[0]["directories"] == 1
