"""Pure modules stay pure: no input, output, thread, clock or chance of their own.

`now` and the random source come in as arguments. So the rules of the file system are tested
without waiting, and every failure can be replayed.
"""

import ast
from typing import Iterable, List, Set

import pytest

from tests.tidy.source import PRODUCT, Source, imports, report, sources
from tests.tidy.test_floors import imported_modules

PURE_MODULES = {
    "zookeeper.fabric.errors",
    "zookeeper.fabric.kinds",
    "zookeeper.fabric.calls",
    "zookeeper.fabric.figures",
    "zookeeper.fabric.identity",
    "zookeeper.fabric.keys",
    "zookeeper.fabric.web_password",
    "zookeeper.fabric.auth",
    "zookeeper.roles",
    "zookeeper.calls",
    "zookeeper.sessions",
    "zookeeper.views",
    "metadata_service.ailments",
    "metadata_service.calls",
    "metadata_service.member.catch_up_plan",
    "metadata_service.member.comparison",
    "metadata_service.leader.append_queue",
    "metadata_service.leader.backlog",
    "metadata_service.record.chain",
    "metadata_service.edits",
    "metadata_service.epochs",
    "metadata_service.leader.allegiance",
    "metadata_service.member.member_core",
    "metadata_service.member.member_lease",
    "metadata_service.member.member_record",
    "metadata_service.member.wishes",
    "metadata_service.record.recent_entries",
    "metadata_service.leader.majorities",
    "metadata_service.record.image_digest",
    "metadata_service.leader.joint_change",
    "metadata_service.quorum",
    "metadata_service.leader.recovery",
    "metadata_service.leader.redialling",
    "metadata_service.leader.refusals",
    "metadata_service.leader.ring",
    "metadata_service.leader.verdict",
    "data_service.datanode.store.layout",
    "data_service.web.attempts",
    "data_service.web.border",
    "data_service.web.claims",
    "data_service.filesystem.tree_health",
    "data_service.web.exchange.answers",
    "data_service.web.exchange.body",
    "data_service.web.exchange.http_head",
    "data_service.web.exchange.parameters",
    "data_service.web.exchange.remote_exceptions",
    "data_service.web.exchange.request",
    "data_service.web.exchange.targets",
    "data_service.web.figures.bean_query",
    "data_service.web.figures.call_counts",
    "data_service.web.figures.condition",
    "data_service.web.figures.datanode_beans",
    "data_service.web.figures.datanode_rows",
    "data_service.web.figures.exposition",
    "data_service.web.figures.history",
    "data_service.web.figures.namenode_beans",
    "data_service.web.figures.overview",
    "data_service.web.figures.process_beans",
    "data_service.web.figures.sightings",
    "data_service.web.figures.sound_figures",
    "data_service.web.files.health_forms",
    "data_service.web.webhdfs.addresses",
    "data_service.web.webhdfs.forms",
}

PURE_FOLDERS = ("data_service.protocol", "data_service.namenode")
"""Whatever is put into these is pure, unless IMPURE says otherwise."""

IMPURE = {
    f"data_service.namenode.{name}"
    for name in ("block_limits", "daemon", "dates", "groups", "listening",
                 "namenode_core", "namesystem", "standing_by", "waiting",
                 "calls.administration", "calls.audit", "calls.connection",
                 "calls.datanodes", "calls.delegations", "calls.names", "calls.service",
                 "calls.tokens", "calls.writers",
                 "leading.core_keeper", "leading.each_member", "leading.ending",
                 "leading.following", "leading.giving_way", "leading.inquiry", "leading.lookout",
                 "leading.housekeeping", "leading.inbox", "leading.lease_keeper",
                 "leading.record_reader",
                 "leading.memory", "leading.term",
                 "leading.watchdog")
}
"""The daemon around the pure cores."""

PURE_LIBRARY = set(
    """__future__ abc array base64 binascii bisect collections contextlib copy dataclasses enum
    errno fractions functools hashlib heapq hmac inspect itertools json math operator random re
    statistics string struct textwrap types typing unicodedata urllib.parse zlib""".split()
)
"""Standard library modules that only compute. `random` stands for the type `random.Random`."""

_DEEDS = {"open", "input", "print", "exec", "eval", "compile", "breakpoint", "__import__"}


def is_pure(module: str) -> bool:
    """Whether a module of the project has to be pure."""
    in_folder = module.startswith(PURE_FOLDERS)
    return module in PURE_MODULES or (in_folder and module not in IMPURE)


def impure_imports(source: Source, known: Iterable[str]) -> List[str]:
    """Imports of a library that acts, or of a module of ours that may."""
    found = []
    for item in imports(source):
        top = item.module.split(".")[0]
        if not {top, item.module} & PURE_LIBRARY and top not in PRODUCT:
            found.append(source.at(item.node, f"imports {top}, which is not known to be pure"))
    packages = {"zookeeper", "zookeeper.fabric", "metadata_service", "data_service",
                "data_service.filesystem", "data_service.web", "data_service.web.exchange",
                "data_service.web.figures", "data_service.web.files", "data_service.web.webhdfs"}
    for module, line in imported_modules(source, known).items():
        if not is_pure(module) and module not in packages:
            found.append(f"{source.path}:{line}: imports {module}, which is not pure")
    return found


def deeds(source: Source) -> List[str]:
    """Calls that touch the world, and chance that was not handed in."""
    found = []
    chance = _names_of_chance(source)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in _DEEDS | chance:
                found.append(source.at(node, f"calls {node.func.id}()"))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "random" and "random" in chance:
                found.append(source.at(node, f"calls random.{node.func.attr}()"))
    return found


def _names_of_chance(source: Source) -> Set[str]:
    """Names that this module bound by importing `random`, or from it."""
    found = set()
    for item in imports(source):
        if item.module == "random":
            found.add(item.name or "random")
    # A parameter that is named `random` is a source that was handed in, and hides the module:
    # a module that has such parameters must import the type by its own name.
    parameters = {
        argument.arg
        for function in source.functions()
        for argument in function.args.args + function.args.kwonlyargs
    }
    return found - (parameters if "Random" in found else set())


KNOWN = [source.name for source in sources(PRODUCT)]


def test_pure_modules_are_pure() -> None:
    """HDFS-6841, HDFS-6453, HDFS-12526: a clock that was set ended leases and nodes."""
    findings: List[str] = []
    for source in sources(PRODUCT):
        if is_pure(source.name):
            findings += impure_imports(source, KNOWN) + deeds(source)
    assert not findings, report(findings)


@pytest.mark.parametrize(
    "library", "socket threading time os io random.x datetime secrets uuid logging queue".split()
)
def test_a_library_that_acts_is_found(library: str) -> None:
    source = Source.of("data_service/namenode/writers/leases.py", f"import {library}")
    expected = 0 if library.startswith("random") else 1
    assert len(impure_imports(source, KNOWN)) == expected


def test_a_module_of_ours_that_acts_is_found() -> None:
    text = "from zookeeper.fabric import settings, errors\nfrom metadata_service.edits import Edit"
    source = Source.of("data_service/namenode/writers/leases.py", text)
    known = KNOWN + ["zookeeper.fabric.settings", "zookeeper.fabric.errors"]
    assert len(impure_imports(source, known)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "def f(path):\n    return open(path)",
        "import random\nx = random.random()",
        "import random\nx = random.Random()",
        "from random import Random, choice\ndef f(random: Random):\n    return choice([1])",
        "print(1)",
    ],
)
def test_a_deed_is_found(text: str) -> None:
    assert len(deeds(Source.of("data_service/namenode/writers/leases.py", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import random\ndef f(source: random.Random) -> float:\n    return source.random()",
        "from random import Random\ndef f(random: Random) -> int:\n    return random.choice([1])",
        "def f(table):\n    return table.open()",
    ],
)
def test_chance_that_is_handed_in_is_allowed(text: str) -> None:
    source = Source.of("data_service/namenode/writers/leases.py", text)
    assert deeds(source) == impure_imports(source, KNOWN) == []


def test_what_must_be_pure() -> None:
    assert is_pure("data_service.namenode.state") and is_pure("data_service.protocol.blocks")
    assert not is_pure("data_service.namenode.calls.service") and not is_pure("zookeeper.service")
