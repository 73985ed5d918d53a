"""curl, as a person uses it to reach the files of a cluster."""

import json
import subprocess
from pathlib import Path
from typing import Any, List, NamedTuple

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import PATIENCE_SECONDS


class Curled(NamedTuple):
    """What curl printed, and the statuses that it met on the way."""

    body: bytes
    statuses: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Curl:
    """curl to one gateway, in the name of the superuser."""

    def __init__(self, cluster: Cluster, folder: Path, gateway: str = "gateway_0") -> None:
        self._root = "http://{}:{}/webhdfs/v1".format(*cluster.address(gateway))
        self._user = cluster.file_system().user
        self._heads = folder / f"heads_of_{gateway}"

    def command(self, *options: str, path: str, op: str) -> List[str]:
        """The words of a person."""
        url = f"{self._root}{path}?op={op}&user.name={self._user}"
        return ["curl", "-sS", "-D", str(self._heads), *options, url]

    def __call__(self, *options: str, path: str, op: str) -> Curled:
        done = subprocess.run(
            self.command(*options, path=path, op=op),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=2 * PATIENCE_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0
        return Curled(done.stdout, self.statuses)

    @property
    def statuses(self) -> str:
        """Those that the last command met on its way."""
        lines = self._heads.read_text("latin-1").splitlines()
        return " ".join([line.split()[1] for line in lines if line.startswith("HTTP/")])

    def begin(self, *options: str, path: str, op: str) -> "subprocess.Popen[bytes]":
        """A command that runs while other things happen; it reads and writes pipes."""
        return subprocess.Popen(
            self.command(*options, path=path, op=op),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
