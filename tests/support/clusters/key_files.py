"""The keys of a cluster in mode `secret`, each in the file of who needs it.

    keys = KeyFiles(cluster)      # before it starts: each daemon but the namenode has its own
    keys.issue("alice")           # a user's
    with keys.used_by("alice"):   # by the client, and by this process
        cluster.client("ls", "/")
"""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.configuration import kind_of
from zookeeper.fabric.credentials import KEY_FILE_VARIABLE


class KeyFiles:
    """Where they lie, and how they are issued: by the command, as an administrator does it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._folder = cluster.folder / "keys"
        self._folder.mkdir()
        self.cluster_key = cluster.folder / "cluster.key"
        self.old_cluster_key = cluster.folder / "cluster.key.old"
        self.revoked = cluster.folder / "revoked"
        self.servers = [role for role in cluster.roles if kind_of(role) != "name_node"]
        for role in self.servers:
            self.issue(role)
            cluster.daemons[role].environment[KEY_FILE_VARIABLE] = str(self.path(role))

    def path(self, owner: str) -> Path:
        """The file of a daemon's role, or of a user."""
        return self._folder / owner

    def issue(self, owner: str) -> Path:
        """Write this owner's file, in the place of an earlier one."""
        path = self.path(owner)
        done = self.cluster.client("issueKey", "-o", str(path), *self._words(owner))
        assert (done.status, done.err) == (0, ""), done
        return path

    def replace_cluster_key(self) -> None:
        """A new one; the one before stays valid beside it."""
        fresh = self._folder / "fresh"
        fresh.touch(0o600)
        fresh.write_bytes(os.urandom(32))
        os.link(self.cluster_key, self.old_cluster_key)
        fresh.replace(self.cluster_key)

    @contextmanager
    def used_by(self, owner: str) -> Iterator[None]:
        """Who is started or made in the block has the key of this owner."""
        before = os.environ.get(KEY_FILE_VARIABLE)
        os.environ[KEY_FILE_VARIABLE] = str(self.path(owner))
        try:
            yield
        finally:
            if before is None:
                del os.environ[KEY_FILE_VARIABLE]
            else:
                os.environ[KEY_FILE_VARIABLE] = before

    def _words(self, owner: str) -> List[str]:
        if owner not in self.servers:
            return [owner]
        if kind_of(owner) == "data_node":
            return ["--datanode", owner.rpartition("_")[2]]
        return [f"--{owner}"]
