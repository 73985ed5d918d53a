"""Never another place: what a path or URI means, and what is refused before anything is done."""

from pathlib import Path
from typing import Dict, Iterator, Optional

import pytest

from data_service.shell.arguments import clusters, paths
from data_service.shell.failures import UsageError
from tests.support.terminal.shell import Shell
from zookeeper.fabric.config_file import Address

HOSTS = (Address("localhost", 1800), Address("nn2.example.org", 9000))
NUMBERS: Dict[str, str] = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1"}


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on a file system with some files whose names recur below the root."""
    with Shell(monkeypatch, tmp_path) as made:
        for path in ("/x", "/data/x", "/user/root/mine", "/d/s/x"):
            made.filesystem.write(path, path.encode())
        made.local("x", b"local")
        yield made


def _belongs(uri: str) -> bool:
    def number(host: str) -> Optional[str]:
        return NUMBERS.get(host)

    try:
        clusters.check_authority(paths.parse(uri), HOSTS, number)
        return True
    except UsageError:
        return False


@pytest.mark.parametrize(
    "uri",
    ["/x", "x", "hdfs:///x", "hdfs:/x", "hdfs://localhost:1800/x", "pyhdfs://LOCALHOST:1800",
     "hdfs://127.0.0.1:1800/x", "hdfs://localhost/x", "hdfs://localhost.:1800/x",
     "hdfs://nn2.example.org:9000/", "hdfs://NN2.Example.org:9000/"],
)  # fmt: skip
def test_what_is_of_this_cluster(uri: str) -> None:
    assert _belongs(uri)


@pytest.mark.parametrize(
    "uri",
    ["hdfs://x", "hdfs://tmpx/y", "hdfs://localhost:1801/x", "hdfs://nn2.example.org/x",
     "hdfs://nn3.example.org:9000/", "hdfs://root@localhost:1800/x", "hdfs://localhost:18oo/",
     "hdfs://localhost:/x", "hdfs://[::1/x", "hdfs://%6c:1800/x"],
)  # fmt: skip
def test_what_is_of_another(uri: str) -> None:
    assert not _belongs(uri)


@pytest.mark.parametrize("slashes", ["//", "///", "hdfs:////", "hdfs:///"])
def test_several_slashes_are_one(shell: Shell, slashes: str) -> None:
    assert shell.good("cat", f"{slashes}x") == "/x"
    assert shell.good("cat", f"{slashes}data//x") == "/data/x"
    assert shell.good("cat", f"{slashes}d*//s//*") == "/d/s/x"
    shell.good("mv", f"{slashes}data/x", f"{slashes}moved")
    shell.good("put", "x", f"{slashes}stored")
    assert "/moved" in shell.filesystem.tree() and "/stored" in shell.filesystem.tree()
    shell.run("rm", "-r", f"{slashes}nothing")
    assert "/user/root/mine" in shell.filesystem.tree()


def test_an_empty_variable_in_a_script_deletes_nothing_else(shell: Shell) -> None:
    before = shell.filesystem.tree()
    for words in (["rm", "-r", "//mine"], ["rm", "-r", "//nothing/x"], ["rm", "-r", "hdfs://x"],
                  ["rm", "-r", "hdfs://mine"], ["rm", "-r", "//"], ["chmod", "-R", "0", "//mine"]):
        assert shell.run(*words).status != 0
    assert shell.filesystem.tree() == before


ELSEWHERE = "hdfs://elsewhere:8020"


@pytest.mark.parametrize(
    "words",
    [
        ["rm", "/x", f"{ELSEWHERE}/x"],
        ["rm", "-r", "-f", f"{ELSEWHERE}/d"],
        ["mv", "/x", f"{ELSEWHERE}/y"],
        ["mv", f"{ELSEWHERE}/x", "/y"],
        ["cp", "/x", f"{ELSEWHERE}/y"],
        ["cp", f"{ELSEWHERE}/x", "/y"],
        ["put", "x", f"{ELSEWHERE}/y"],
        ["put", f"{ELSEWHERE}/x", "/y"],
        ["moveFromLocal", "x", f"{ELSEWHERE}/y"],
        ["get", f"{ELSEWHERE}/x", "y"],
        ["get", f"{ELSEWHERE}/x"],
        ["get", "/x", f"{ELSEWHERE}/y"],
        ["getmerge", f"{ELSEWHERE}/d", "y"],
        ["concat", "/x", "/data/x", f"{ELSEWHERE}/y"],
        ["appendToFile", "x", f"{ELSEWHERE}/x"],
        ["truncate", "0", "/x", f"{ELSEWHERE}/x"],
        ["touchz", "/new", f"{ELSEWHERE}/new"],
        ["mkdir", "/new", f"{ELSEWHERE}/new"],
        ["chmod", "600", "/x", f"{ELSEWHERE}/x"],
        ["setrep", "5", "/x", f"{ELSEWHERE}/x"],
        ["setQuota", "5", f"{ELSEWHERE}/d"],
        ["fsck", f"{ELSEWHERE}/"],
        ["expunge", "-immediate", "-fs", ELSEWHERE],
        ["-fs", ELSEWHERE, "rm", "/x"],
        ["-fs", "elsewhere:8020", "rm", "/x"],
        ["-D", f"fs.defaultFS={ELSEWHERE}", "rm", "/x"],
        ["-D", f"fs.default.name={ELSEWHERE}", "rm", "/x"],
        ["-fs", ELSEWHERE, "df"],
        ["-fs", ELSEWHERE, "report"],
        ["-fs", ELSEWHERE, "expunge", "-immediate"],
        ["-fs", ELSEWHERE, "safemode", "enter"],
        ["-fs", "s3://bucket", "rm", "/x"],
        ["-fs", "file:///", "safemode", "enter"],
        ["-fs", "local", "fsck", "/"],
        ["fsck", "file:///x", "-delete"],
        ["-fs", "file:///", "expunge", "-immediate"],
        ["getmerge", "/d/s", "s3://bucket/y"],
        ["get", "/x", "s3://bucket/y"],
        ["rm", "file://elsewhere/x"],
        ["put", "file://elsewhere/x", "/y"],
        ["cp", "/x", "file://elsewhere/x"],
        ["rm", "HDFS://elsewhere/x"],
    ],
)  # fmt: skip
def test_another_place_is_refused_before_anything_is_done(shell: Shell, words: list) -> None:
    before = [(path, shell.filesystem.stat(path)) for path in shell.filesystem.tree()]
    result = shell.run(*words)
    assert result.status != 0 and result.out == ""
    assert any(part in result.err for part in ("elsewhere", "No FileSystem", "not an HDFS"))
    assert [(path, shell.filesystem.stat(path)) for path in shell.filesystem.tree()] == before
    assert [path.name for path in shell.folder.iterdir()] == ["x"]
    assert shell.filesystem.status.safe_mode is False


def test_the_refusal_says_what_to_do(shell: Shell) -> None:
    assert shell.bad("rm", f"{ELSEWHERE}/x", status=255).splitlines()[0] == (
        "-rm: hdfs://elsewhere:8020/x: elsewhere:8020 is no namenode of this cluster; nothing was "
        "done. name_node_hosts in config.ini has hdfs://localhost:1800. Another cluster is reached "
        "by --config and its config.ini"
    )


def test_the_local_disk_by_its_uris(shell: Shell) -> None:
    for uri in (f"file://{shell.folder}/x", f"file:{shell.folder}/x",
                f"file://localhost{shell.folder}/x", f"file:////{shell.folder}//x"):
        assert shell.good("cat", uri) == "local"
    assert shell.good("-fs", "local", "cat", str(shell.folder / "x")) == "local"
    assert shell.good("-D", "fs.defaultFS=file:///", "cat", "x") == "local"


def test_a_percent_sign_and_a_tilde_are_characters(shell: Shell) -> None:
    for name in ("100%25", "~", "~root", "a%2Fb"):
        shell.good("touchz", name)
        assert f"/user/root/{name}" in shell.filesystem.tree()
