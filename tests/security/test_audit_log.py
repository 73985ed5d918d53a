"""The audit log of a cluster: who did what, and what was not allowed, also by whom nobody let in
to ask."""

import getpass
import os
from pathlib import Path
from typing import Dict, List

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import PATIENCE_SECONDS
from zookeeper.fabric.errors import PermissionDenied
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import METADATA, NAME_NODE, Principal
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import load


def lines(path: Path) -> List[Dict[str, str]]:
    """The fields of each line, as what reads HDFS's audit log takes them apart."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        _, _, words = line.partition(" INFO FSNamesystem.audit: ")
        found.append(dict(field.split("=", 1) for field in words.split("\t")))
    return found


def told(path: Path, user: str) -> List[str]:
    """What one user did or was denied, shortly."""
    return [
        f"{line['allowed']} {line['cmd']} {line['src']} {line['dst']}"
        for line in lines(path) if line["ugi"] == user
    ]  # fmt: skip


def test_who_did_what_stands_in_the_audit_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with Cluster(
        tmp_path, data_nodes=1, security="secret", name_node={"audit_log": path}
    ) as cluster:
        with cluster.file_system() as owner:
            owner.mkdir("/shut", mode=0o700)
            owner.write_bytes("/shut/a\nallowed=true", b"x")
            owner.rename("/shut", "/closed")
        with cluster.file_system("alice") as alice:
            with pytest.raises(PermissionDenied):
                alice.stat("/closed/a")
            with pytest.raises(PermissionDenied):
                alice.metasave("name")
            os.rename(path, tmp_path / "rotated")
            with pytest.raises(PermissionDenied):
                alice.delete("/closed", recursive=True)
        settings = load(str(cluster.config))
        remote = Remote.connect(
            NAME_NODE, settings.name_node.hosts[0],
            credentials_of(settings, Principal(METADATA)), settings.network,
        )  # fmt: skip
        with pytest.raises(PermissionDenied):
            # Of one who may not call at all, nobody looks at what he says.
            remote.call("rename", 5, b"/x", "/a\tallowed=true\n", timeout=PATIENCE_SECONDS)
        remote.close()
    rotated = tmp_path / "rotated"
    me = getpass.getuser()
    done = told(rotated, me)
    for wanted in ("true mkdirs /shut null", "true create /shut/a\\nallowed=true null",
                   "true rename /shut /closed"):  # fmt: skip
        assert wanted in done
    assert told(rotated, "alice") + told(path, "alice") == [
        "false getfileinfo /closed/a null", "false metaSave null null", "false delete /closed null",
    ]  # fmt: skip
    assert told(path, METADATA) == ["false rename null /a\\tallowed=true\\n"]
    assert {line["ip"] for line in lines(rotated) + lines(path)} == {"/127.0.0.1"}
