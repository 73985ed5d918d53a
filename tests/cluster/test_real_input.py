"""What people really put: every awkward size and name, many files, many clients at once."""

import subprocess
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.datanode.store.layout import trailer_bytes
from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import block_names, digest, holders, noise, stored
from tests.support.disks.two_files import data_of

BLOCK = 64 * 1024


@pytest.fixture(scope="module")
def small_blocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose blocks are small, for tests that leave it whole."""
    options = {"name_node": {"block_size": BLOCK, "replication_factor": 2}}
    with Cluster(tmp_path_factory.mktemp("small"), **options) as cluster:
        yield cluster


def assert_stored(cluster: Cluster, path: str, content: bytes, tmp_path: Path) -> None:
    """The file has these bytes: by `get`, by `cat`, and on two disks a block."""
    back = tmp_path / "back"
    got = cluster.client("get", "-f", path, str(back))
    assert (got.status, got.err) == (0, "")
    assert back.read_bytes() == content
    assert cluster.client("cat", path).out == content
    with cluster.file_system() as file_system:
        names = block_names(file_system, path)
        assert file_system.stat(path).length == len(content)
    assert len(names) == -(-len(content) // BLOCK)
    copies = [[stored(cluster, role)[name] for role in holders(cluster, name)] for name in names]
    assert all(len(paths) == 2 for paths in copies)
    for which in (0, 1):
        assert b"".join(data_of(paths[which]) for paths in copies) == content


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 17])
def test_a_file_of_any_size_comes_back_as_it_was(
    small_blocks: Cluster, tmp_path: Path, size: int
) -> None:
    local = tmp_path / "local"
    local.write_bytes(noise(size, size))
    put = small_blocks.client("put", str(local), f"/sizes/{size}")
    assert (put.status, put.out, put.err) == (0, b"", "")
    assert_stored(small_blocks, f"/sizes/{size}", noise(size, size), tmp_path)


@pytest.mark.parametrize("size", [0, 1, BLOCK, 3 * BLOCK + 5])
def test_standard_input_comes_back_on_standard_output(
    small_blocks: Cluster, tmp_path: Path, size: int
) -> None:
    path = f"/streams/{size}"
    assert small_blocks.client("put", "-", path, stdin=noise(size, size)).status == 0
    assert small_blocks.client("get", path).out == noise(size, size)
    assert_stored(small_blocks, path, noise(size, size), tmp_path)


def test_text_is_kept_byte_by_byte(small_blocks: Cluster, tmp_path: Path) -> None:
    text = "".join(f"line {n} é ü \u2028 \t %d # \r\n" for n in range(5000)).encode()
    local = tmp_path / "text"
    local.write_bytes(text)
    assert small_blocks.client("put", str(local), "/text").status == 0
    assert_stored(small_blocks, "/text", text, tmp_path)


@pytest.mark.parametrize(
    "name", ["two words", "100%", "%41", "a#b", "é", "e\u0301", "日本語", "-f", "a;b&c", "'\"", "~"]
)
def test_a_name_is_taken_as_it_is(small_blocks: Cluster, tmp_path: Path, name: str) -> None:
    cluster, path = small_blocks, f"/names with % # é/{name}"
    source = tmp_path / "local" / name
    source.parent.mkdir()
    source.write_bytes(name.encode())
    assert cluster.client("put", str(source), path).status == 0
    listed = cluster.client("ls", "-C", "/names with % # é").text.splitlines()
    assert path in listed
    back = tmp_path / "back"
    back.mkdir()
    assert cluster.client("get", path, str(back)).status == 0
    assert (back / name).read_bytes() == name.encode()
    assert cluster.client("rm", path).status == 0
    with cluster.file_system() as file_system:
        assert not file_system.exists(path)


def test_a_thousand_small_files_in_one_directory(small_blocks: Cluster, tmp_path: Path) -> None:
    local = tmp_path / "many"
    local.mkdir()
    for number in range(1000):
        (local / f"file-{number:04}").write_bytes(noise(number % 100, number))
    put = small_blocks.client("put", "-t", "4", str(local), "/many")
    assert (put.status, put.err) == (0, "")
    listed = small_blocks.client("ls", "-C", "/many").text.splitlines()
    assert listed == [f"/many/file-{number:04}" for number in range(1000)]
    got = small_blocks.client("get", "-t", "4", "/many", str(tmp_path / "back"))
    assert (got.status, got.err) == (0, "")
    for number in range(1000):
        back = tmp_path / "back" / f"file-{number:04}"
        assert back.read_bytes() == noise(number % 100, number)
    assert small_blocks.client("rm", "-r", "/many").status == 0


def test_eight_clients_put_at_once_and_get_at_once(small_blocks: Cluster, tmp_path: Path) -> None:
    contents = {number: noise(BLOCK * number + number, number) for number in range(8)}
    for number, content in contents.items():
        (tmp_path / f"in-{number}").write_bytes(content)
    run_all(small_blocks, [["put", str(tmp_path / f"in-{n}"), f"/at-once/{n}"] for n in contents])
    run_all(small_blocks, [["get", f"/at-once/{n}", str(tmp_path / f"out-{n}")] for n in contents])
    for number, content in contents.items():
        assert (tmp_path / f"out-{number}").read_bytes() == content


def test_of_eight_clients_that_put_the_same_path_at_once_one_wins(
    small_blocks: Cluster, tmp_path: Path
) -> None:
    for number in range(8):
        (tmp_path / str(number)).write_bytes(noise(3 * BLOCK, number))
    commands = [["put", str(tmp_path / str(number)), "/race/it"] for number in range(8)]
    statuses = [client.wait() for client in started(small_blocks, commands)]
    assert statuses.count(0) == 1
    winner = noise(3 * BLOCK, statuses.index(0))
    assert small_blocks.client("cat", "/race/it").out == winner
    assert small_blocks.client("ls", "-C", "/race").text == "/race/it\n"


def started(cluster: Cluster, commands: List[List[str]]) -> List["subprocess.Popen[bytes]"]:
    """These commands of the client, all running."""
    return [cluster.start_client(*command) for command in commands]


def run_all(cluster: Cluster, commands: List[List[str]]) -> None:
    """Run these commands of the client at once; each must succeed in silence."""
    for client in started(cluster, commands):
        out, err = client.communicate()
        assert (client.returncode, out, err) == (0, b"", b"")


def test_the_textbook_case_has_four_blocks_of_128_megabytes_and_one_of_48(
    tmp_path: Path,
) -> None:
    megabyte = 1 << 20
    local = tmp_path / "textbook"
    with local.open("wb") as file:
        # Sparse, but for a mark in every eighth megabyte that tells where it belongs.
        file.truncate(560 * megabyte)
        for number in range(0, 560, 8):
            file.seek(number * megabyte + number)
            file.write(noise(64, number))
    options = {"name_node": {"block_size": "128M", "replication_factor": 2}}
    with Cluster(tmp_path / "cluster", **options) as cluster:
        assert cluster.client("put", str(local), "/textbook").status == 0
        with cluster.file_system() as file_system:
            blocks = file_system.block_locations("/textbook").blocks
        lengths = [located.block.length for located in blocks]
        assert lengths == [128 * megabyte] * 4 + [48 * megabyte]
        for located in blocks:
            paths = [stored(cluster, role)[located.block.name]
                     for role in holders(cluster, located.block.name)]
            size = located.block.length + trailer_bytes(located.block.length)
            assert [path.stat().st_size for path in paths] == [size] * 2
        assert cluster.client("get", "/textbook", str(tmp_path / "back")).status == 0
    assert digest(tmp_path / "back") == digest(local)
