"""Clusters for tests that need one, marks by folder, and daemons' logs in failed tests' reports."""

import gc
from pathlib import Path
from typing import Any, Iterator, List

import pytest

# Nothing of what is collected becomes garbage: see `pytest_collection_finish`.
gc.disable()

pytest.register_assert_rewrite("tests.support")

from tests.support.clusters.cluster import Cluster  # noqa: E402
from tests.support.clusters.ports import Ports  # noqa: E402
from tests.support.clusters.scripted import Site  # noqa: E402
from tests.support.links.journals import close_journals  # noqa: E402
from zookeeper.fabric import logs  # noqa: E402

_TESTS = Path(__file__).parent
_MARKED_FOLDERS = ("cluster", "faults", "security", "web")


@pytest.fixture
def cluster(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster for this test alone, which may hurt it.

    `@pytest.mark.parametrize("cluster", [{"data_nodes": 1}], indirect=True)` gives options.
    """
    with Cluster(tmp_path, **getattr(request, "param", {})) as started:
        yield started


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests that leave it as whole as they found it.

    Each works below a directory of its own, named after itself. Its users besides those of the
    system are `chief`, a superuser, and `worker` and `helper`, who share the group `shift`.
    Nobody dies here, so its daemons need not say so often that they live: each job has such a
    cluster nearly all the time, and six that idle took a quarter of a core.
    """
    with Cluster(
        tmp_path_factory.mktemp("shared"),
        groups={"supergroup": "chief", "shift": "worker, helper"},
        zookeeper={"session_heartbeat_seconds": 1, "session_expiry_seconds": 10},
        data_node={"heartbeat_seconds": 0.5},
    ) as started:
        yield started


@pytest.fixture
def closed_journals() -> Iterator[None]:
    """Nothing that the test opened as `Opened` dials on."""
    yield
    close_journals()


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A config.ini with free ports; whatever it started is stopped."""
    ports = Ports()
    made = Site(tmp_path, ports, **getattr(request, "param", {}))
    yield made
    stopped = made.cluster("stop")
    ports.close()
    assert stopped.status == 0, stopped
    assert made.pids() == []


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Mark tests by the folder that they are in."""
    for item in items:
        for folder in _MARKED_FOLDERS:
            if _TESTS / folder in item.path.parents:
                item.add_marker(folder)


def pytest_collection_finish() -> None:
    """Keep the garbage collector out of thousands of collected tests, which all stay to the end.

    Tests that look for leaks ask it to collect: 0.4 s each time with the whole suite in memory.
    """
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget the clusters of the test before; the shared one stays, because it runs.

    And how often the tests before have logged an event: what a test waits for would be dropped.
    """
    Cluster.recent[:] = [made for made in Cluster.recent if made.running]
    for log in logs._logs.values():
        log._windows.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Show in a failed test's report what each daemon logged last."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        for made in Cluster.recent:
            report.sections.append((f"daemons in {made.folder}", made.logs()))
