"""The worlds of the contract's tests: each test runs in both."""

from typing import Any, Iterator

import pytest

from tests.contract.worlds import HERE, Memory, Real, World


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A cluster for all tests of a module."""
    made = Real(tmp_path_factory.mktemp("contract"))
    yield made
    made.close()


@pytest.fixture(params=["memory", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world with an empty directory HERE."""
    made = Memory() if request.param == "memory" else request.getfixturevalue("real")
    made.fs.mkdir(HERE)
    yield made
    made.fs.delete(HERE, recursive=True)


@pytest.fixture
def fs(world: World) -> Any:
    """The superuser's file system."""
    return world.fs
