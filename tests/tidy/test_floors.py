"""Imports point down: the floors of the house, and that no module stands on itself."""

from typing import Dict, Iterable, List, Set, Tuple

import pytest

from tests.tidy.source import LAUNCHERS, PRODUCT, Source, imports, report, sources

FLOORS = (
    ("zookeeper.fabric",),
    ("zookeeper",),
    ("metadata_service",),
    ("data_service.protocol",),
    ("data_service.stubs",),
    # Neighbours on one floor: they never import each other.
    ("data_service.namenode.namespace", "data_service.namenode.replicas"),
    ("data_service.namenode.writers",),
    ("data_service.namenode", "data_service.datanode"),
    ("data_service.filesystem",),
    ("data_service.shell", "data_service.web"),
    ("data_service",),
)
"""From the ground up. An import goes to a lower floor, or stays within its own room."""

FABRIC = (
    "errors",
    "kinds",
    "calls",
    "release",
    "standard_streams",
    "log_file",
    "logs",
    "config_file",
    "section",
    "sections",
    "settings",
    "identity",
    "keys",
    "web_password",
    "moments",
    "auth",
    "key_file",
    "revocation",
    "credentials",
    "disk",
    "spare",
    "forks",
    "waiting",
    "budget",
    "places",
    "stream",
    "tls_stream",
    "tls",
    "packets",
    "sockets",
    "figures",
    "process",
    "acceptor",
    "handshake",
    "frames",
    "meter",
    "rpc",
    "remote",
    "leader_probe",
    "pools",
    "server",
    "daemon",
)
"""The fabric is a closed list: each module imports only earlier ones."""

NAMED_APART = tuple(
    room for rooms in FLOORS[:-1] for room in rooms if not room.startswith("data_service.namenode.")
)
"""Within each of these, with all folders in it, a name is that of one module."""

_LEVELS = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def room_of(module: str) -> str:
    """The folder that a module belongs to: the longest one of FLOORS that holds it."""
    rooms = [room for room in _LEVELS if module == room or module.startswith(room + ".")]
    assert rooms, f"{module} is in no folder of the house"
    return max(rooms, key=len)


def imported_modules(source: Source, known: Iterable[str]) -> Dict[str, int]:
    """The project's modules that a module imports, with the line of the first import."""
    names = set(known)
    found: Dict[str, int] = {}
    for item in imports(source):
        whole = f"{item.module}.{item.name}"
        module = whole if whole in names else item.module
        if module.split(".")[0] in PRODUCT + ("tests", "scripts"):
            found.setdefault(module, getattr(item.node, "lineno", 1))
    return found


def floor_violations(source: Source, known: Iterable[str]) -> List[str]:
    """Imports that go up, sideways, through a launcher, or out of the product."""
    found = []
    room = room_of(source.name)
    for module, line in imported_modules(source, known).items():
        if module.split(".")[0] not in PRODUCT:
            found.append(f"{source.path}:{line}: the product imports {module}")
        elif module in LAUNCHERS:
            found.append(f"{source.path}:{line}: imports the launcher {module}")
        elif room_of(module) != room and _LEVELS[room_of(module)] >= _LEVELS[room]:
            found.append(f"{source.path}:{line}: {room} may not import {module}")
    return found


def fabric_violations(source: Source, known: Iterable[str]) -> List[str]:
    """A fabric module that is not on the list, or imports one that comes after it."""
    place = source.name.rpartition(".")[2]
    if source.is_package:
        return []
    if place not in FABRIC:
        return [f"{source.path}:1: the fabric is a closed list, {place} is not on it"]
    allowed = {f"zookeeper.fabric.{name}" for name in FABRIC[: FABRIC.index(place)]}
    allowed.add("zookeeper.fabric")
    return [
        f"{source.path}:{line}: {place} may not import {module}, which is not before it"
        for module, line in imported_modules(source, known).items()
        if module not in allowed
    ]


def relative_imports(source: Source) -> List[str]:
    """Imports that do not say where they lead."""
    return [source.at(item.node, "imports relatively") for item in imports(source) if item.level]


def modules_on_a_circle(edges: Dict[str, Set[str]]) -> List[str]:
    """The modules that import themselves, by way of others: what is left without the leaves."""
    left = {module: set(targets) & set(edges) for module, targets in edges.items()}
    while True:
        leaves = {module for module, targets in left.items() if not targets}
        if not leaves:
            return sorted(left)
        left = {m: targets - leaves for m, targets in left.items() if m not in leaves}


def shared_names(modules: Iterable[str]) -> List[str]:
    """Modules that somebody who says their last name only could take for one another."""
    places: Dict[Tuple[str, str], List[str]] = {}
    for module in modules:
        homes = [home for home in NAMED_APART if module.startswith(home + ".")]
        if homes:
            name = module.rpartition(".")[2]
            places.setdefault((max(homes, key=len), name), []).append(module)
    return [" and ".join(sorted(found)) for found in places.values() if len(found) > 1]


KNOWN = [source.name for source in sources(PRODUCT)]


def test_imports_point_down() -> None:
    findings = [line for source in sources(PRODUCT) for line in floor_violations(source, KNOWN)]
    assert not findings, report(findings)


def test_the_fabric_imports_only_what_comes_before() -> None:
    fabric = [source for source in sources(PRODUCT) if room_of(source.name) == FLOORS[0][0]]
    findings = [line for source in fabric for line in fabric_violations(source, KNOWN)]
    assert not findings, report(findings)


def test_the_fabric_lists_itself_in_the_same_order() -> None:
    package = next(source for source in sources(PRODUCT) if source.name == "zookeeper.fabric")
    assert ", ".join(FABRIC) in " ".join(package.text.split())


def test_imports_are_absolute() -> None:
    findings = [line for source in sources() for line in relative_imports(source)]
    assert not findings, report(findings)


def test_no_module_stands_on_itself() -> None:
    edges = {s.name: set(imported_modules(s, KNOWN)) - {s.name} for s in sources(PRODUCT)}
    assert modules_on_a_circle(edges) == []


def test_no_two_modules_of_one_floor_have_one_name() -> None:
    modules = [source.name for source in sources(PRODUCT) if not source.is_package]
    findings = shared_names(modules)
    assert not findings, report(findings)


def test_a_shared_name_is_found() -> None:
    assert shared_names(["data_service.shell.paths", "data_service.shell.commands.paths"])
    assert shared_names(["data_service.namenode.writers.quotas", "data_service.namenode.quotas"])
    apart = ["zookeeper.service", "zookeeper.fabric.service", "data_service.shell.service"]
    assert shared_names(apart + ["data_service.name_node", "data_service.data_node"]) == []


@pytest.mark.parametrize(
    "path, text",
    [
        ("zookeeper/fabric/rpc.py", "from zookeeper.service import main"),
        ("zookeeper/service.py", "import metadata_service.edits"),
        ("metadata_service/leader/journal.py", "from data_service.protocol import blocks"),
        ("data_service/protocol/blocks.py", "from data_service.namenode.writers import leases"),
        ("data_service/namenode/state.py", "from data_service.datanode.store.layout import Layout"),
        ("data_service/datanode/actor.py", "def f():\n    import data_service.namenode.state"),
        ("data_service/filesystem/globs.py", "from data_service import shell\nshell.output"),
        ("data_service/shell/main.py", "from data_service.client import main"),
        ("data_service/client.py", "from tests.support.clusters import cluster"),
    ],
)
def test_an_import_that_goes_up_is_found(path: str, text: str) -> None:
    known = KNOWN + ["data_service.shell"]
    assert len(floor_violations(Source.of(path, text), known)) == 1


def test_an_import_that_goes_down_is_allowed() -> None:
    text = "from zookeeper.fabric.errors import Fenced\nfrom metadata_service import journal\n"
    assert floor_violations(Source.of("data_service/namenode/calls/service.py", text), KNOWN) == []
    neighbour = "from data_service.namenode.writers.leases import Leases"
    assert floor_violations(Source.of("data_service/namenode/state.py", neighbour), KNOWN) == []


def test_a_module_that_is_not_of_the_fabric_is_found() -> None:
    assert len(fabric_violations(Source.of("zookeeper/fabric/extra.py", ""), KNOWN)) == 1


def test_a_fabric_import_that_goes_up_is_found() -> None:
    down = "from zookeeper.fabric import errors"
    up = "from zookeeper.fabric import daemon"
    known = KNOWN + ["zookeeper.fabric.daemon"]
    assert fabric_violations(Source.of("zookeeper/fabric/logs.py", down), known) == []
    assert len(fabric_violations(Source.of("zookeeper/fabric/logs.py", up), known)) == 1


def test_a_relative_import_is_found() -> None:
    assert len(relative_imports(Source.of("zookeeper/x.py", "from . import service"))) == 1


def test_a_circle_is_found() -> None:
    assert modules_on_a_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()}) == ["a", "b", "c"]
    assert modules_on_a_circle({"a": {"b", "c"}, "b": {"c"}, "c": {"sys"}}) == []
