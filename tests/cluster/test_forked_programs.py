"""Programs that fork while they use the library: each process is a client of its own."""

import subprocess
import sys
from pathlib import Path

from tests.support.clusters.cluster import Cluster

REPOSITORY = Path(__file__).parent.parent.parent
HEAD = f"""
import os, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from multiprocessing import get_context
from data_service.filesystem import FileSystem
from zookeeper.fabric.errors import LeaseExpired

fs = FileSystem()

def child(deed):
    number = os.fork()
    if number:
        status = os.waitpid(number, 0)[1]
        assert status == 0, f"the child ended with {{status}}"
        return
    status = 1
    try:
        deed()
        status = 0
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
    os._exit(status)
"""


def run(cluster: Cluster, text: str) -> str:
    """What a program prints that must succeed, whatever it forks."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", HEAD + text]
    done = subprocess.run(
        command, env=cluster.environment("client"), capture_output=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    return done.stdout.decode()


def test_what_forked_workers_do_is_done(shared_cluster: Cluster) -> None:
    out = run(shared_cluster, """
fs.mkdir("/forked/workers", parents=True)

def work(number):
    path = f"/forked/workers/{number}"
    fs.mkdir(path)
    with fs.open(path + "/f", "wb") as file:
        file.write(b"%d" % number * 1000)
    fs.rename(path + "/f", path + "/g")
    return fs.open(path + "/g").read() == b"%d" % number * 1000

with get_context("fork").Pool(3) as pool:
    assert all(pool.map(work, range(12), chunksize=1))
assert [status.name for status in fs.list("/forked/workers")] == sorted(map(str, range(12)))
print(sum(fs.exists(f"/forked/workers/{number}/g") for number in range(12)))
""")
    assert out == "12\n"


def test_a_file_stays_with_the_process_that_opened_it(shared_cluster: Cluster) -> None:
    out = run(shared_cluster, """
fs.mkdir("/forked", parents=True)
writer = fs.open("/forked/one", "wb")
writer.write(b"parent")

def meddle():
    for deed in (lambda: writer.write(b"child"), writer.hflush, writer.close):
        try:
            deed()
        except LeaseExpired as error:
            print(type(error).__name__, "forked" in str(error), flush=True)
    fs.close()
    # The same path is taken, as it is for every other client.
    other = FileSystem()
    try:
        other.open("/forked/one", "wb")
    except Exception as error:
        print(type(error).__name__, flush=True)

child(meddle)
writer.write(b" goes on")
writer.close()
print(fs.open("/forked/one").read().decode())
""")
    assert out.splitlines() == [
        *["LeaseExpired True"] * 3, "AlreadyBeingCreated", "parent goes on",
    ]  # fmt: skip


def test_both_processes_read_on_in_a_file_that_was_open(shared_cluster: Cluster) -> None:
    out = run(shared_cluster, """
fs.mkdir("/forked", parents=True)
data = os.urandom(3_000_000)
with fs.open("/forked/read", "wb") as file:
    file.write(data)
reader = fs.open("/forked/read")
assert reader.read(1_000_000) == data[:1_000_000]

def rest():
    assert reader.read() == data[1_000_000:]

child(rest)
rest()
fs.delete("/forked/read")
print("read")
""")
    assert out == "read\n"
