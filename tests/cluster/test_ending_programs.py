"""Programs that end, or whose main thread does, while the library still has something to do."""

import subprocess
import sys
from pathlib import Path

from tests.support.clusters.cluster import Cluster

REPOSITORY = Path(__file__).parent.parent.parent
HEAD = f"""
import gzip, sys, threading
sys.path.insert(0, {str(REPOSITORY)!r})
from data_service.filesystem import FileSystem
fs = FileSystem()
"""


def run(cluster: Cluster, text: str) -> "subprocess.CompletedProcess[str]":
    """How a program ended, and what it said."""
    return subprocess.run(
        [sys.executable, "-c", HEAD + text], env=cluster.environment("client"),
        capture_output=True, timeout=120, text=True,
    )  # fmt: skip


NEVER_CLOSED = """
file = fs.open("/ended/never", "wb")
file.write(b"bytes that matter")
"""
LOST_BEFORE_THE_END = """
def work():
    gzip.GzipFile(fileobj=fs.open("/ended/lost", "wb"), mode="wb").close()
work()
"""


def test_who_forgets_to_close_is_told_and_can_try_again_at_once(shared_cluster: Cluster) -> None:
    for text, path in ((NEVER_CLOSED, "/ended/never"), (LOST_BEFORE_THE_END, "/ended/lost")):
        for ending, status in (("", 0), ("", 0), ("1 / 0\n", 1), ("", 0)):
            done = run(shared_cluster, text + ending)
            assert done.returncode == status, done.stderr
            assert path in done.stderr and "close()" in done.stderr
            assert shared_cluster.client("test", "-e", path).status == 1


def test_who_closes_is_told_nothing(shared_cluster: Cluster) -> None:
    done = run(shared_cluster, NEVER_CLOSED.replace("never", "closed") + "file.close()\n")
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_go_on_after_the_main_one(shared_cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(bytes(3_000_000))
    done = run(shared_cluster, f"""
def work():
    threading.main_thread().join()
    with fs.open("/ended/written", "wb", block_size=1 << 20) as file:
        for _ in range(30):
            file.write(bytes(100_000))
    fs.put({str(tmp_path / "local")!r}, "/ended/put", block_size=1 << 20)
    fs.get("/ended/put", {str(tmp_path / "back")!r})
    print(fs.stat("/ended/written").length)

fs.mkdir("/ended", parents=True)
threading.Thread(target=work).start()
""")  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "3000000\n", "")
    assert (tmp_path / "back").read_bytes() == bytes(3_000_000)
