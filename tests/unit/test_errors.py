"""The error family: each is also the system's own kind, and survives copies and processes."""

import copy
import errno
from multiprocessing.reduction import ForkingPickler
from typing import Any, Iterator, Type

import pytest

from data_service.filesystem.local import LocalDenied, LocalNotFound, local_errors
from data_service.shell.failures import PathError
from zookeeper.fabric import errors
from zookeeper.fabric.errors import DfsError, LocalFileError, PathNotFound, from_wire


def sent(error: DfsError) -> Any:
    """What another process of a pool gets of it."""
    return ForkingPickler.loads(ForkingPickler.dumps(error))


def family(root: Type[DfsError] = DfsError) -> Iterator[Type[DfsError]]:
    """The root, and all that `errors` derives from it."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from family(child)


@pytest.mark.parametrize("kind", sorted(set(family()), key=lambda kind: kind.__name__))
def test_every_error_is_one_of_the_system(kind: Type[DfsError]) -> None:
    error = kind("what happened")
    assert isinstance(error, OSError)
    assert str(error) == error.message == "what happened"
    assert error.errno == kind.number and error.errno in errno.errorcode
    assert error.strerror
    # Where Python has a kind of its own for the number, it is that one.
    assert isinstance(error, type(OSError(error.errno, "")))


@pytest.mark.parametrize("name, sibling", [
    ("PathNotFound", FileNotFoundError), ("PathExists", FileExistsError),
    ("NotADirectory", NotADirectoryError), ("IsADirectory", IsADirectoryError),
    ("PermissionDenied", PermissionError), ("Unavailable", ConnectionError),
    ("DeadlineExceeded", TimeoutError), ("InvalidArgument", ValueError)])
def test_siblings(name: str, sibling: Type[Exception]) -> None:
    assert issubclass(getattr(errors, name), sibling)


@pytest.mark.parametrize("kind", sorted(set(family()), key=lambda kind: kind.__name__))
def test_copies_are_the_same(kind: Type[DfsError]) -> None:
    error = kind("what happened")
    error.filename, error.filename2 = "/a", "/b"
    for again in (sent(error), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        for part in ("args", "errno", "strerror", "filename", "filename2", "message"):
            assert getattr(again, part) == getattr(error, part)
    assert type(from_wire(error.code, error.message)) is kind
    assert str(from_wire(error.code, error.message)) == "what happened"


def test_an_error_with_other_arguments_than_a_message_is_copied() -> None:
    error = PathError("/a", "File exists", to="/b")
    again = sent(error)
    assert type(again) is PathError
    assert again.message == error.message == "`/a' to `/b': File exists"


def test_local_files_raise_what_python_raises() -> None:
    with pytest.raises(LocalNotFound) as missing, local_errors("here"):
        open("/no/such/file", "rb").close()
    with pytest.raises(FileNotFoundError), local_errors("here"):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")
    with pytest.raises(LocalDenied) as denied, local_errors("here"):
        raise PermissionError(errno.EPERM, "Operation not permitted")
    assert (denied.value.errno, denied.value.filename) == (errno.EPERM, "here")
    assert str(denied.value) == "here: Operation not permitted"
    assert missing.value.code == LocalFileError.code


def test_what_is_ours_already_stays_what_it_is() -> None:
    with pytest.raises(PathNotFound, match="gone"), local_errors("here"):
        raise PathNotFound("gone")
