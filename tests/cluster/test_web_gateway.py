"""The gateway as people use it: curl, against a running cluster."""

import json
import os
import re
import signal
import subprocess
import sys
from functools import reduce
from pathlib import Path
from shutil import which
from typing import Any, Iterator, Tuple

import pytest

from data_service.web.webhdfs.operations import OPERATIONS
from tests.support.clusters.cluster import ROOT, Cluster
from tests.support.clusters.curl import Curl
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric import key_file
from zookeeper.fabric.identity import USER, Principal

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(which("curl") is None, reason="there is no curl"),
]

GATEWAY = "gateway_0"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all."""
    folder = tmp_path_factory.mktemp("web")
    with Cluster(folder, data_nodes=2, gateways=1, security="simple") as made:
        yield made


@pytest.fixture
def curl(cluster: Cluster, tmp_path: Path) -> Curl:
    """curl to its gateway."""
    return Curl(cluster, tmp_path)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A file of five blocks and a bit."""
    path = tmp_path / "original"
    path.write_bytes(os.urandom((5 << 20) + 17))
    return path


def test_a_file_goes_up_and_comes_down(cluster: Cluster, curl: Curl, original: Path) -> None:
    up = curl("-L", "-T", str(original), path="/up/a%20b%2Bc+%25", op="CREATE&overwrite=true")
    assert (up.body, up.statuses) == (b"", "307 100 201")
    assert curl("-L", path="/up/a%20b+c%2B%25", op="OPEN").body == original.read_bytes()
    assert curl("-L", path="/up/a%20b+c%2b%25", op="OPEN&offset=1048570&length=20").body == (
        original.read_bytes()[1048570:1048590])
    listed = curl(path="/up", op="LISTSTATUS").json["FileStatuses"]["FileStatus"]
    assert [row["pathSuffix"] for row in listed] == ["a b+c+%"]
    assert cluster.client("cat", "/up/a b+c+%").out == original.read_bytes()
    checksum = curl("-L", path="/up/a%20b+c+%25", op="GETFILECHECKSUM").json["FileChecksum"]
    assert checksum["bytes"] in cluster.client("checksum", "/up/a b+c+%").text


EVERY: Tuple[Tuple[str, str, Any], ...] = (
    ("/every/d", "MKDIRS", {"boolean": True}), ("/every/f", "CREATE&blocksize=1048576", b""),
    ("/every/g", "CREATE&replication=1&permission=600", b""), ("/every/g", "APPEND", b""),
    ("/every/f", "CONCAT&sources=/every/g", b""),
    ("/every/f", "TRUNCATE&newlength=1048577", {"boolean": True}),
    ("/every/f", "SETREPLICATION&replication=1", {"boolean": True}),
    ("/every/f", "SETPERMISSION&permission=750", b""), ("/every/f", "SETOWNER&owner=bob", b""),
    ("/every/f", "SETTIMES&modificationtime=7", b""),
    ("/every/d", "SETQUOTA&namespacequota=9", b""),
    ("/every/f", "GETFILESTATUS", "FileStatus.modificationTime=7"),
    ("/every", "GETFILELINKSTATUS", "FileStatus.childrenNum=2"),
    ("/every/f", "LISTSTATUS", "FileStatuses.FileStatus.0.permission=750"),
    ("/every", "LISTSTATUS_BATCH&startAfter=d",
     "DirectoryListing.partialListing.FileStatuses.FileStatus.0.owner=bob"),
    ("/every", "GETCONTENTSUMMARY", "ContentSummary.length=1048577"),
    ("/every/d", "GETQUOTAUSAGE", "QuotaUsage.quota=9"),
    ("/every/f", "GETFILECHECKSUM", "FileChecksum.length=28"),
    ("/every/f", "GETFILEBLOCKLOCATIONS&offset=1048576",
     "BlockLocations.BlockLocation.0.length=1"),
    ("/every/f", "GET_BLOCK_LOCATIONS", "LocatedBlocks.lastLocatedBlock.startOffset=1048576"),
    ("/every/f", "GETACLSTATUS", "AclStatus.permission=750"),
    ("/every/f", "CHECKACCESS&fsaction=r--", b""), ("/", "GETHOMEDIRECTORY", "Path~/user/"),
    ("/", "GETTRASHROOT", "Path~/.Trash"), ("/", "GETDELEGATIONTOKEN", {"Token": None}),
    ("/", "GETSERVERDEFAULTS", "FsServerDefaults.blockSize=1048576"),
    ("/", "GETSTATUS", "FsStatus.used~"), ("/every/f", "OPEN&offset=1048576", b"x"),
    ("/every/f", "RENAME&destination=/every/d", {"boolean": True}),
    ("/every", "DELETE&recursive=true", {"boolean": True}),
    ("/", "RENEWDELEGATIONTOKEN&token=x", "RemoteException.exception~"),
    ("/", "CANCELDELEGATIONTOKEN&token=x", "RemoteException.exception~"),
)
"""Every operation with what it answers: nothing, this JSON, or a value that is, or has, what
follows its place."""


def test_every_operation(curl: Curl, tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"x" * 1048577)
    for path, op, expected in EVERY:
        name = op.partition("&")[0]
        body = ["-T", str(content)] if name in ("CREATE", "APPEND") else []
        told = curl("-L", "-X", OPERATIONS[name].method, *body, path=path, op=op)
        if isinstance(expected, str):
            place, sign, value = re.split("([=~])", expected, maxsplit=1)
            found = reduce(lambda part, key: part[int(key) if key.isdigit() else key],
                           place.split("."), told.json)
            assert value in str(found) if sign == "~" else str(found) == value, (op, told)
        else:
            assert (told.body if isinstance(expected, bytes) else told.json) == expected, op
    assert {op.partition("&")[0] for _, op, _ in EVERY} == set(OPERATIONS)


def test_what_comes_in_chunks_is_stored_and_gone_on_with(curl: Curl, original: Path) -> None:
    chunked = ("-L", "-H", "Transfer-Encoding: chunked", "-T", str(original))
    assert curl(*chunked, path="/chunks", op="CREATE").statuses.endswith("201")
    assert curl(*chunked, "-X", "POST", path="/chunks", op="APPEND").statuses.endswith("200")
    assert curl(*chunked, path="/chunks", op="CREATE&data=true").statuses.endswith("403")
    assert curl("-L", path="/chunks", op="OPEN").body == 2 * original.read_bytes()
    assert curl("-X", "POST", path="/chunks", op="TRUNCATE&newlength=3").json == {"boolean": True}
    assert curl("-L", path="/chunks", op="OPEN").body == original.read_bytes()[:3]


def test_an_upload_that_breaks_off_leaves_what_was_there(
    cluster: Cluster, curl: Curl, original: Path
) -> None:
    slow = curl.command("-L", "--limit-rate", "200k", "-T", str(original),
                        path="/broken", op="CREATE&data=true")
    upload = subprocess.Popen(slow, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: b"/broken" in cluster.client("dfsadmin", "-listOpenFiles").out)
    finally:
        upload.kill()
        upload.wait()
    wait_until(lambda: b"/broken" not in cluster.client("dfsadmin", "-listOpenFiles").out)
    assert curl(path="/broken", op="GETFILESTATUS").statuses == "404"


def test_a_datanode_that_dies_costs_nobody_a_byte(
    cluster: Cluster, curl: Curl, original: Path
) -> None:
    up = curl("-L", "-T", str(original), path="/safe", op="CREATE&overwrite=true")
    assert up.statuses.endswith("201")
    cluster.kill("data_node_0")
    try:
        assert curl("-L", path="/safe", op="OPEN").body == original.read_bytes()
        again = curl("-L", "-T", str(original), path="/again", op="CREATE&overwrite=true")
        assert again.statuses.endswith("201")
    finally:
        cluster.start_daemon("data_node_0")
        cluster.wait_live(2)
    assert curl("-L", path="/again", op="OPEN").body == original.read_bytes()


def test_a_namenode_that_starts_anew_is_waited_for(cluster: Cluster, curl: Curl) -> None:
    assert curl("-X", "PUT", path="/before", op="MKDIRS").json == {"boolean": True}
    cluster.kill("name_node")
    asked = subprocess.Popen(
        curl.command("-X", "PUT", path="/meanwhile", op="MKDIRS"), stdout=subprocess.PIPE
    )
    cluster.start_daemon("name_node")
    assert json.loads(asked.communicate(timeout=2 * PATIENCE_SECONDS)[0]) == {"boolean": True}
    cluster.wait_live(2)


def test_a_large_directory_is_listed_whole(cluster: Cluster, curl: Curl) -> None:
    names = [f"{number:05d}" for number in range(2100)]
    with cluster.file_system() as fs:
        for name in names:
            fs.mkdir(f"/many/{name}", parents=True)
    listed = curl(path="/many", op="LISTSTATUS").json["FileStatuses"]["FileStatus"]
    assert [row["pathSuffix"] for row in listed] == names


def test_a_stop_ends_the_upload_that_runs_and_another_gateway_goes_on(
    cluster: Cluster, curl: Curl, original: Path
) -> None:
    slow = curl.command("--limit-rate", "200k", "-T", str(original),
                        path="/cut", op="CREATE&data=true")
    upload = subprocess.Popen(slow, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: b"/cut" in cluster.client("dfsadmin", "-listOpenFiles").out)
    cluster.daemons[GATEWAY].send_signal(signal.SIGTERM)
    assert cluster.daemons[GATEWAY].wait() == 0
    assert upload.wait(PATIENCE_SECONDS) != 0
    cluster.start_daemon(GATEWAY)
    assert curl(path="/cut", op="GETFILESTATUS").statuses == "404"
    assert curl("-L", "-T", str(original), path="/cut", op="CREATE").statuses.endswith("201")


def test_the_key_of_somebody_else_makes_no_gateway(tmp_path: Path) -> None:
    config, key = tmp_path / "config.ini", tmp_path / "key"
    key.touch(0o600)
    cluster_key = key_file.ClusterKey(os.urandom(32))
    key.write_text(key_file.issue([cluster_key], Principal(USER, "alice"), 1))
    config.write_text(
        f"[web]\nweb_hosts = localhost:1\n[security]\nmode = secret\nkey_file = {key}\n", "utf-8"
    )
    launcher = ROOT / "data_service" / "web_gateway.py"
    done = subprocess.run(
        [sys.executable, str(launcher), "--config", str(config)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.splitlines()[-1].endswith(
        b"found the key of user:alice, expected that of a gateway, as `issueKey --gateway web` "
        b"writes it")
