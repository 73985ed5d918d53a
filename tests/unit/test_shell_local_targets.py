"""Where local bytes go: whole or not at all, and never through a link that nobody named."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Callable, Iterator, List

import pytest

from data_service.filesystem.local import appearing
from data_service.shell.arguments import local_targets
from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import BlockMissing

PRECIOUS = b"precious\n"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line, with the files /d/a and /d/b."""
    with Shell(monkeypatch, tmp_path) as made:
        made.filesystem.write("/d/a", b"a\n")
        made.filesystem.write("/d/b", b"b\n")
        yield made


WRITERS: List[Callable[[str], List[str]]] = [
    lambda name: ["getmerge", "/d", name],
    lambda name: ["get", "-f", "/d/a", name],
    lambda name: ["copyToLocal", "-f", "/d/a", name],
    lambda name: ["cp", "-f", "/d/a", f"file://{os.path.abspath(name)}"],
    lambda name: ["put", "-f", "-", f"file://{os.path.abspath(name)}"],
    lambda name: ["put", "-f", "source", f"file://{os.path.abspath(name)}"],
]
each_writer = pytest.mark.parametrize("words", WRITERS)


@each_writer
def test_the_temporary_name_cannot_be_foreseen(
    shell: Shell, words: Callable[[str], List[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.local("source", b"a\n")
    opened: List[str] = []
    true_open = os.open

    def watch(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            assert flags & os.O_EXCL and flags & os.O_NOFOLLOW, path
            opened.append(path)
        return true_open(path, flags, mode)

    monkeypatch.setattr(os, "open", watch)
    for _ in range(2):
        shell.good(*words("out"), stdin=b"a\n")
    names = {os.path.basename(path) for path in opened}
    assert len(names) == len(opened) and all(len(name) == 29 for name in names)
    assert sorted(os.listdir(shell.folder)) == ["out", "source"]


@each_writer
def test_the_longest_name(shell: Shell, words: Callable[[str], List[str]]) -> None:
    shell.local("source", b"a\n")
    for name in ("n" * 255, "é" * 127):
        shell.good(*words(name), stdin=b"a\n")
        assert Path(name).read_bytes().startswith(b"a\n")


@each_writer
def test_a_named_link_is_written_through(shell: Shell, words: Callable[[str], List[str]]) -> None:
    shell.local("source", b"a\n")
    shell.local("real/file", PRECIOUS)
    Path("one").symlink_to("real/file")
    Path("two").symlink_to(os.path.abspath("one"))
    shell.good(*words("two"), stdin=b"a\n")
    assert Path("two").is_symlink() and Path("one").is_symlink()
    assert Path("real/file").read_bytes().startswith(b"a\n")
    assert os.listdir("real") == ["file"]


@each_writer
def test_a_link_to_nothing_is_refused(shell: Shell, words: Callable[[str], List[str]]) -> None:
    shell.local("source", b"a\n")
    Path("link").symlink_to("nowhere")
    Path("loop").symlink_to("loop")
    for name in ("link", "loop"):
        assert shell.run(*words(name), stdin=b"a\n").status == 1
        assert Path(name).is_symlink()
    assert not Path("nowhere").exists()


def test_links_that_were_only_met_are_not_followed(shell: Shell) -> None:
    shell.local("precious", PRECIOUS)
    outside = shell.folder / "outside"
    outside.mkdir()
    target = shell.folder / "target"
    target.mkdir()
    (target / "a").symlink_to("../precious")
    (target / ".b.crc").symlink_to("../precious")
    assert "File exists" in shell.bad("get", "/d/a", "target")
    shell.good("get", "-f", "/d/a", "target")
    assert (target / "a").read_bytes() == b"a\n" and not (target / "a").is_symlink()
    shell.good("get", "-crc", "/d/b", "target")
    assert (target / ".b.crc").read_bytes().startswith(b"crc\0")
    shell.filesystem.write("/tree/sub/f", b"f")
    (target / "tree").mkdir()
    (target / "tree" / "sub").symlink_to(outside)
    assert "Is not a directory" in shell.bad("get", "-f", "/tree", "target")
    assert os.listdir(outside) == [] and Path("precious").read_bytes() == PRECIOUS


def test_a_named_link_to_a_directory_is_followed(shell: Shell) -> None:
    shell.local("real/x")
    Path("link").symlink_to("real")
    shell.good("get", "/d/a", "link")
    assert Path("real/a").read_bytes() == b"a\n"


def test_a_pipe_is_written_into(shell: Shell) -> None:
    os.mkfifo("pipe")
    for words in (["getmerge", "/d", "pipe"], ["get", "-f", "-p", "/d/a", "pipe"]):
        got: List[bytes] = []
        reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()))
        reader.start()
        shell.good(*words)
        reader.join()
        assert got[0].startswith(b"a\n") and Path("pipe").is_fifo()


def test_a_device_keeps_its_mode(shell: Shell) -> None:
    before = os.stat("/dev/null")
    Path("link").symlink_to("/dev/null")
    for name in ("/dev/null", "link"):
        shell.good("getmerge", "/d", name)
        shell.good("get", "-f", "-p", "-crc", "/d/a", name)
    after = os.stat("/dev/null")
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def test_standard_output_goes_on_where_it_is(shell: Shell, tmp_path: Path) -> None:
    log = shell.local("log", b"before\n")
    Path("stdout").symlink_to("/proc/self/fd/1")
    code = (
        "from data_service.shell.arguments.local_store import LocalStore\n"
        "store = LocalStore()\n"
        "with store.create(store.behind('stdout')) as file: file.write(b'bytes\\n')\n"
    )
    with open("log", "ab") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True,
                       env=dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2])))
    assert log.read_bytes() == b"before\nbytes\n"
    assert os.path.islink("stdout")


def test_descriptors_by_name() -> None:
    assert local_targets.descriptor_of("/dev/fd/1") == 1
    assert local_targets.descriptor_of(f"/proc/{os.getpid()}/fd/7") == 7
    for path in ("/dev/null", "/dev/fd/x", "1", "/proc/1/fd/1", "fd/1", "/dev/fd/²"):
        assert local_targets.descriptor_of(path) is None


def test_a_descriptor_that_was_closed_is_no_file_of_ours(shell: Shell) -> None:
    # Whoever began this process gave it no such descriptor: it is of a connection, say.
    near, far = os.pipe()
    Path("stdin").symlink_to(f"/proc/self/fd/{near}")
    Path("stdout").symlink_to(f"/dev/fd/{far}")
    try:
        for source in ("stdin", f"/dev/fd/{near}", f"/proc/{os.getpid()}/fd/{near}"):
            for words in (["put", "-f", source, "/d/a"], ["appendToFile", source, "/d/a"]):
                assert "Bad file descriptor" in shell.bad(*words)
        for target in ("stdout", f"/dev/fd/{far}"):
            for words in (["get", "-f", "/d/a", target], ["getmerge", "/d", target]):
                assert "Bad file descriptor" in shell.bad(*words)
        os.set_inheritable(far, True)
        shell.good("getmerge", "/d", "stdout")
        assert os.read(near, 100) == b"a\nb\n"
    finally:
        os.close(near)
        os.close(far)
    assert shell.good("cat", "/d/a") == "a\n"


def test_a_descriptor_that_does_not_block_is_waited_for(shell: Shell) -> None:
    data = b"0123456789" * 50_000
    shell.filesystem.write("/d/a", data)
    near, far = os.pipe()
    os.set_inheritable(far, True)
    os.set_blocking(far, False)
    got: List[bytes] = []

    def read() -> None:
        with open(near, "rb") as stream:
            got.append(stream.read())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        shell.good("get", "-f", "/d/a", f"/dev/fd/{far}")
    finally:
        os.close(far)
        reader.join()
    assert got == [data]


@pytest.mark.parametrize("words", [
    ["get", "/d/a", "out"],
    ["cp", "/d/a", "file://{}/out"],
    ["put", "-", "file://{}/out"],
    ["put", "source", "file://{}/out"],
])
@pytest.mark.parametrize("error", [0, errno.EPERM, errno.EOPNOTSUPP])
def test_what_came_there_meanwhile_stays(
    shell: Shell, words: List[str], error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.local("source", b"a\n")
    true_open, true_link = os.open, os.link

    def make_another(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            Path("out").write_bytes(PRECIOUS)
        return true_open(path, flags, mode)

    def link(source: str, target: str) -> None:
        if error:
            raise OSError(error, os.strerror(error))
        true_link(source, target)

    words = [word.format(shell.folder) for word in words]
    monkeypatch.setattr(os, "link", link)
    with monkeypatch.context() as patches:
        patches.setattr(os, "open", make_another)
        assert "File exists" in shell.bad(*words, stdin=b"a\n")
    assert Path("out").read_bytes() == PRECIOUS
    os.unlink("out")
    shell.good(*words, stdin=b"a\n")
    assert Path("out").read_bytes() == b"a\n" and os.stat("out").st_nlink == 1
    assert sorted(os.listdir()) == ["out", "source"]


def test_mode_of_a_replaced_file_stays(shell: Shell) -> None:
    secret = shell.local("secret", b"old")
    secret.chmod(0o600)
    shell.good("getmerge", "/d", "secret")
    shell.good("get", "-f", "/d/a", "fresh")
    assert secret.stat().st_mode & 0o777 == 0o600
    assert Path("fresh").stat().st_mode & 0o777 != 0o600


@pytest.mark.parametrize("words", WRITERS[:4])
def test_what_fails_leaves_nothing(shell: Shell, words: Callable[[str], List[str]]) -> None:
    Path("out").write_bytes(b"old")
    for method in ("cat", "get"):
        shell.filesystem.fail(method, BlockMissing("Could not obtain block"))
    shell.run(*words("out"))
    assert os.listdir() == ["out"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, FileExistsError, GeneratorExit, MemoryError])
def test_whatever_ends_the_writing_leaves_nothing(tmp_path: Path, end: type) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(end):
        with appearing(str(target)) as descriptor:
            os.write(descriptor, b"new")
            raise end
    assert os.listdir(tmp_path) == ["out"] and target.read_bytes() == b"old"


def test_a_signal_right_after_the_file_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_open = os.open

    def make_and_interrupt(*arguments: object) -> int:
        os.close(true_open(*arguments))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", make_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        with appearing(str(tmp_path / "out")):
            pass
    assert os.listdir(tmp_path) == []
