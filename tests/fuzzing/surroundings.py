"""What an attack must leave as it was: the files of a cluster, and its daemons."""

import re
from pathlib import Path
from typing import Dict, List, Tuple

from data_service.filesystem import FileSystem
from tests.chaos.invariants import judge_living, judge_logs, judge_vitals
from tests.chaos.survey import log_sizes, vitals
from tests.fuzzing.bystander import DIRECTORY
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until

OPEN = "/open"
"""Where an attacker may write as much as any user."""

KEPT = {"/kept/file": b"kept" * 1000, "/kept/private/file": b"private", "/kept/empty": b""}

SETTLING_SECONDS = 60.0
"""So long after the last shot nothing of them may be left: calls that wait end by themselves."""

_DEFECT = re.compile(rb"^.* ERROR .*$|^Traceback .*$", re.MULTILINE)

State = Dict[str, Tuple[object, ...]]


def furnish(file_system: FileSystem) -> None:
    """The files that nobody else may change: the root directory is the superuser's."""
    file_system.mkdir("/kept/private", parents=True)
    for open_to_all in (OPEN, DIRECTORY):
        file_system.mkdir(open_to_all, parents=True)
        file_system.set_mode(open_to_all, 0o777)
    for path, data in KEPT.items():
        file_system.write_bytes(path, data)
    file_system.set_mode("/kept/private", 0o700)
    file_system.set_mode("/", 0o755)


def state_of(file_system: FileSystem) -> State:
    """Path -> what there is, besides what an honest client does meanwhile; and who serves it."""
    state: State = {}
    for directory, _, files in file_system.walk("/"):
        if directory.startswith((DIRECTORY, OPEN)):
            continue
        state[directory] = tuple(file_system.stat(directory)._replace(atime_ms=0))
        for name in files:
            path = f"{directory.rstrip('/')}/{name}"
            told = tuple(file_system.stat(path)._replace(atime_ms=0))
            state[path] = (told, file_system.read_bytes(path))
    for row in file_system.fsck("/"):
        if not row.path.startswith((DIRECTORY, OPEN)):
            state[f"blocks of {row.path}"] = tuple([(one.block, one.health) for one in row.blocks])
    status = file_system.cluster_status()
    state["cluster"] = (status.safe_mode, status.corrupt, status.missing)
    state["datanodes"] = tuple(
        sorted([(node.host, node.port, node.state) for node in file_system.datanodes()])
    )
    return state


def changes(before: State, after: State) -> List[str]:
    """A sentence for each path that is another than before."""
    return [
        f"{key}: {before.get(key)} became {after.get(key)}"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


class Watch:
    """The daemons of a cluster: that they live, say nothing of defects, and need no more."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.sizes = log_sizes(cluster)
        self._read = dict(self.sizes)
        self.vitals = vitals(cluster)

    def complaints(self) -> List[str]:
        """What was wrong since the last look: it costs little."""
        ended = [role for role in self._cluster.roles if not self._cluster.daemons[role].running]
        return judge_living(ended) + [
            f"{role} logged: {line}" for role in self._cluster.roles for line in self._defects(role)
        ]

    def begin_again(self) -> None:
        """Compare with what there is now."""
        self.sizes, self.vitals = log_sizes(self._cluster), vitals(self._cluster)

    def grown(self) -> Dict[str, int]:
        """Role -> by how many bytes its log has grown."""
        return {role: size - self.sizes[role] for role, size in log_sizes(self._cluster).items()}

    def leftovers(self, seconds: float) -> List[str]:
        """What is left of an attack that took so long, once it had its time to settle."""
        try:
            wait_until(lambda: not self._more(), SETTLING_SECONDS)
        except AssertionError:
            return self._more() + judge_logs(self.grown(), seconds)
        return judge_logs(self.grown(), seconds)

    def _more(self) -> List[str]:
        return judge_vitals(self.vitals, vitals(self._cluster))

    def _defects(self, role: str) -> List[str]:
        path: Path = self._cluster.daemons[role].log_path
        with path.open("rb") as log:
            log.seek(self._read[role])
            text = log.read()
        # What is not a whole line yet is read the next time.
        whole = text[: text.rfind(b"\n") + 1]
        self._read[role] += len(whole)
        return [line.decode("utf-8", "replace") for line in _DEFECT.findall(whole)]
