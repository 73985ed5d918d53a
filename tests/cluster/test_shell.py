"""The command line as whole processes, on a running cluster."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from tests.support.clusters.cluster import ROOT, Cluster
from tests.support.disks.replicas import noise

BINARY = bytes(range(256)) * 2000
NAMES = ["a b", "100%", "#1", "é", "a+b", "x:y", ".hidden", "[x]", "日本"]
SECONDS_MAX = 60
# What HDFS 3.3.6 says of the same bytes, in blocks of 4096 bytes and in one.
SMALL = "000002000000000000000008333641565dd5576e75c15f21664b5524"
WHOLE = "000002000000000000000000e3bec326dedb1d2db3c97407409f3de6"


def test_odd_names_and_binary_contents_come_back(
    shared_cluster: Cluster, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(BINARY[number:])
    assert shared_cluster.client("put", str(folder), "/odd/names").status == 0
    listed = shared_cluster.client("ls", "-C", "/odd/names").text.splitlines()
    assert listed == sorted((f"/odd/names/{name}" for name in NAMES), key=str.encode)
    assert shared_cluster.client("get", "/odd/names", str(tmp_path / "out")).status == 0
    for number, name in enumerate(NAMES):
        assert (tmp_path / "out" / name).read_bytes() == BINARY[number:]
    literal = shared_cluster.client("get", "/odd/names/\\[x\\]")
    assert literal.out == BINARY[NAMES.index("[x]") :]


def test_standard_input_and_output_carry_bytes(shared_cluster: Cluster) -> None:
    assert shared_cluster.client("put", "-", "/pipes/f", stdin=BINARY) == (0, b"", "")
    for command in (["get"], ["cat"], ["-cat"], ["dfs", "-text"]):
        assert shared_cluster.client(*command, "/pipes/f") == (0, BINARY, ""), command
    assert shared_cluster.client("tail", "/pipes/f").out == BINARY[-1024:]
    assert shared_cluster.client("head", "/pipes/f").out == BINARY[:1024]


def test_checksums_are_hdfss(shared_cluster: Cluster) -> None:
    content = noise(100_000, 100_000)
    for size, per_block, digits in (("4096", 8, SMALL), ("1m", 0, WHOLE)):
        words = ("-D", f"dfs.blocksize={size}", "put", "-f", "-", "/sum")
        assert shared_cluster.client(*words, stdin=content).status == 0
        shown = shared_cluster.client("checksum", "/sum")
        assert shown == (0, f"/sum\tMD5-of-{per_block}MD5-of-512CRC32\t{digits}\n".encode(), "")


def test_a_closed_pipe_ends_cat_quietly(shared_cluster: Cluster) -> None:
    shared_cluster.client("put", "-", "/closed/f", stdin=BINARY * 8)
    client = shared_cluster.start_client("cat", "/closed/f")
    assert client.stdout is not None and client.stderr is not None
    assert client.stdout.read(10) == BINARY[:10]
    client.stdout.close()
    assert client.wait(SECONDS_MAX) == 141
    assert client.stderr.read() == b""


def test_a_full_disk_behind_standard_output_is_one_line(shared_cluster: Cluster) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            shared_cluster.client_command("ls", "-d", "/"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=shared_cluster.environment("client"),
            timeout=SECONDS_MAX,
        )
    assert done.returncode == 1
    assert done.stderr == b"ls: standard output: No space left on device\n"


def test_an_interrupted_put_leaves_nothing(shared_cluster: Cluster) -> None:
    client = shared_cluster.start_client("put", "-", "/interrupted")
    assert client.stdin is not None and client.stderr is not None
    # More than a pipe holds: when it is written, the client reads, so it is in the middle of it.
    client.stdin.write(BINARY)
    client.stdin.flush()
    client.send_signal(signal.SIGINT)
    assert client.wait(SECONDS_MAX) == 130
    assert client.stderr.read() == b"put: Interrupted\n"
    assert shared_cluster.client("test", "-e", "/interrupted") == (1, b"", "")


def test_tail_follows_until_it_is_interrupted(shared_cluster: Cluster) -> None:
    shared_cluster.client("put", "-", "/followed", stdin=b"one ")
    client = shared_cluster.start_client("tail", "-f", "-s", "20", "/followed")
    assert client.stdout is not None
    assert client.stdout.read(4) == b"one "
    shared_cluster.client("put", "-f", "-", "/followed", stdin=b"one two")
    assert client.stdout.read(3) == b"two"
    client.send_signal(signal.SIGINT)
    assert client.wait(SECONDS_MAX) == 130


def test_a_namenode_that_is_down_is_one_line(tmp_path: Path, shared_cluster: Cluster) -> None:
    # Nobody listens at port 1.
    config = tmp_path / "config.ini"
    config.write_text("[name_node]\nname_node_hosts = 127.0.0.1:1\n[client]\nconnect_seconds = 0.2")
    for words in (["ls", "/", "/a"], ["put", str(config), "/a"], ["report"], ["fsck", "/"]):
        result = shared_cluster.client("--config", str(config), *words)
        assert result.status == (255 if words == ["report"] else 1), words
        assert result.out == b"" and result.err.count("\n") == 1, words
        assert "Traceback" not in result.err and result.err.startswith(f"{words[0]}: ")


def test_a_wrong_config_is_one_line(tmp_path: Path, shared_cluster: Cluster) -> None:
    config = tmp_path / "config.ini"
    config.write_text("[name_node]\nnonsense = 1\n")
    result = shared_cluster.client("--config", str(config), "ls", "/")
    assert result.status == 2 and result.out == b""
    assert result.err.startswith(f"ls: {config}:2: ") and result.err.count("\n") == 1


def test_another_user_is_told_what_is_denied(
    shared_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_cluster.client("mkdir", "/roots")
    monkeypatch.setenv("PYHDFS_USER", "alice")
    result = shared_cluster.client("mkdir", "/roots/alices", "/roots/others")
    assert result.status == 1
    assert len(result.err.splitlines()) == 2
    assert result.err.startswith("mkdir: Permission denied: user=alice, access=WRITE")


def test_options_of_new_files(shared_cluster: Cluster) -> None:
    options = ("-D", "dfs.replication=3", "-D", "dfs.blocksize=65536")
    assert shared_cluster.client(*options, "put", "-", "/options", stdin=BINARY).status == 0
    assert shared_cluster.client("stat", "%r %o %b", "/options").out == b"3 65536 512000\n"
    assert shared_cluster.client("du", "/options").out == b"512000  1536000  /options\n"
    result = shared_cluster.client("fsck", "/options", "-files", "-blocks", "-locations")
    assert result.status == 0 and result.text.count("Live_repl=3") == 8
    found = json.loads(shared_cluster.client("fsck", "/options", "--json").out)
    assert found["status"] == "HEALTHY" and found["blocks"] == 8


def test_a_script_in_the_prompt(shared_cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "x y").write_bytes(BINARY)
    lines = [
        f"lcd {tmp_path}", "mkdir -p /prompt/d", "cd /prompt", "put 'x y' d/f", "ls /no",
        "cd d", "get f", "ls -C", "quit", "rm -r /prompt",
    ]  # fmt: skip
    result = shared_cluster.client(stdin="\n".join(lines).encode())
    assert result == (1, b"f\n", "ls: `/no': No such file or directory\n")
    assert (tmp_path / "f").read_bytes() == BINARY
    assert shared_cluster.client("test", "-d", "/prompt").status == 0


@pytest.mark.parametrize("form", ["file", "link", "module"])
def test_the_client_starts_in_every_way(
    shared_cluster: Cluster, tmp_path: Path, form: str
) -> None:
    link = tmp_path / "client"
    link.symlink_to(ROOT / "data_service" / "client.py")
    commands: List[str] = {
        "file": [str(ROOT / "data_service" / "client.py")],
        "link": [str(link)],
        "module": ["-m", "data_service.client"],
    }[form]
    environment = shared_cluster.environment("client")
    if form == "module":
        environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, *commands, "ls", "-d", "-C", "/"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=SECONDS_MAX,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"/\n", b"")


def test_a_put_that_is_killed_leaves_no_file(shared_cluster: Cluster) -> None:
    client = shared_cluster.start_client("put", "-", "/killed/f")
    assert client.stdin is not None
    client.stdin.write(BINARY)
    client.stdin.flush()
    client.kill()
    client.wait(SECONDS_MAX)
    assert shared_cluster.client("test", "-e", "/killed/f").status == 1
