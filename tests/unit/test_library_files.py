"""Files of a FileSystem in the hands of the standard library, which knows io objects only."""

import csv
import gzip
import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Iterator

import pytest

from data_service.filesystem import FileSystem
from tests.support.clusters.inner_cluster import InnerCluster


@pytest.fixture(name="fs")
def _fs(tmp_path: Path) -> Iterator[FileSystem]:
    with InnerCluster(tmp_path / "cluster") as cluster, cluster.file_system() as made:
        yield made


@pytest.mark.parametrize("mode", ["r", "rb", "w", "wb", "x", "xb", "a", "ab"])
def test_what_an_open_file_tells_of_itself(fs: FileSystem, mode: str) -> None:
    if mode[0] in "ra":
        fs.write_bytes("/f", b"1\n")
    reads = mode[0] == "r"
    data: Any = b"2" if "b" in mode else "2"
    with fs.open("/f", mode) as file:
        assert (file.name, file.mode, file.closed) == ("/f", mode, False)
        assert (file.readable(), file.writable(), file.seekable()) == (reads, not reads, reads)
        assert not file.isatty()
        refused = [lambda: file.fileno(), lambda: file.truncate(0)]
        if reads:
            refused += [lambda: file.write(data), lambda: file.writelines([data])]
        else:
            refused += [
                lambda: file.read(), lambda: file.read(1), lambda: file.readline(),
                lambda: file.readlines(), lambda: next(file), lambda: file.seek(0),
            ]  # fmt: skip
        for deed in refused:
            with pytest.raises(io.UnsupportedOperation):
                deed()
    assert file.closed
    for deed in (file.readline, file.tell, lambda: file.write(data), file.flush):
        with pytest.raises(ValueError):
            deed()


def test_lines(fs: FileSystem) -> None:
    with fs.open("/f", "w") as file:
        file.writelines(f"line {number}\n" for number in range(100_000))
    for mode, last in (("r", "line 99999\n"), ("rb", b"line 99999\n")):
        with fs.open("/f", mode) as file:
            lines = list(file)
        assert len(lines) == 100_000 and lines[-1] == last


def test_compressed_and_packed(fs: FileSystem) -> None:
    with fs.open("/f.gz", "wb") as raw, gzip.open(raw, "wt") as text:
        json.dump({"a": ["ä", 1]}, text)
    with fs.open("/f.gz") as raw, gzip.open(raw, "rt") as text:
        assert json.load(text) == {"a": ["ä", 1]}
    with fs.open("/f.zip", "wb") as raw, zipfile.ZipFile(raw, "w") as packed:
        packed.writestr("one", b"1" * 1000)
        packed.writestr("two", b"2")
    with fs.open("/f.zip") as raw, zipfile.ZipFile(raw) as packed:
        assert packed.testzip() is None and packed.read("two") == b"2"
    for mode in ("w|gz", "w:gz", "w"):
        with fs.open("/f.tar", "wb") as raw, tarfile.open(fileobj=raw, mode=mode) as tar:
            tar.addfile(tarfile.TarInfo("empty"))
        with fs.open("/f.tar") as raw, tarfile.open(fileobj=raw) as tar:
            assert tar.getnames() == ["empty"]


def test_copied_and_tabulated(fs: FileSystem, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4000
    (tmp_path / "local").write_bytes(data)
    with open(tmp_path / "local", "rb") as local, fs.open("/f", "wb") as file:
        shutil.copyfileobj(local, file)
    with fs.open("/f") as file, open(tmp_path / "back", "wb") as local:
        shutil.copyfileobj(file, local)
    assert (tmp_path / "back").read_bytes() == data
    with fs.open("/t", "w", newline="") as file:
        csv.DictWriter(file, ["a", "b"]).writerow({"a": 1, "b": "x\ny"})
    with fs.open("/t", newline="", mode="r") as file:
        assert list(csv.reader(file)) == [["1", "x\ny"]]


def test_two_clusters_at_once(fs: FileSystem, tmp_path: Path) -> None:
    with InnerCluster(tmp_path / "other") as cluster, cluster.file_system() as other:
        fs.write_bytes("/f", b"here")
        other.write_bytes("/f", b"there")
        with fs.open("/f") as source, other.open("/copy", "wb") as file:
            shutil.copyfileobj(source, file)
        assert (fs.read_bytes("/f"), other.read_bytes("/f")) == (b"here", b"there")
        assert other.read_bytes("/copy") == b"here"
    assert other.closed and not fs.closed
