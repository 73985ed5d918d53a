"""What every module owes its reader: docstrings, annotations, honest errors, honest names."""

import ast
import os
import re
import sys
from pathlib import Path
from typing import Iterator, List, Optional, Set, Tuple, Union

import pytest

from tests.tidy.source import LAUNCHERS, Function, Source, report, sources

FORBIDDEN_NAMES = set(
    "util utils common helper helpers base misc manager managers shared core stuff tools".split()
)

PRINTING_PLACES = ("data_service/shell/", "scripts/", "zookeeper/fabric/daemon.py")
"""Where standard output belongs to somebody. The daemon's is for its ready line."""

# Put together from halves, so that this file does not find itself.
_UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")

_LOG_METHODS = {"debug", "info", "warning", "error", "exception"}

_Documented = Union[Function, ast.ClassDef]


def missing_docstrings(source: Source) -> List[str]:
    """Modules, public classes and public functions that do not say what they mean.

    A test function's name is its sentence; what is nested or private is read in its place.
    """
    found = [] if ast.get_docstring(source.tree) else [f"{source.path}:1: has no docstring"]
    for node in _public(source.tree.body):
        if not ast.get_docstring(node) and not node.name.startswith("test_"):
            found.append(source.at(node, f"{node.name} has no docstring"))
    return found


def _public(body: List[ast.stmt]) -> Iterator[_Documented]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node
            yield from _public(node.body)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if not (node.name.startswith("_") or _is_setter(node) or _is_overload(node)):
                yield node


def _is_setter(function: Function) -> bool:
    decorators = function.decorator_list
    return any(isinstance(d, ast.Attribute) and d.attr in ("setter", "deleter") for d in decorators)


def _is_overload(function: Function) -> bool:
    """Whether this only tells a type checker of one more way to call what follows."""
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in function.decorator_list)


def missing_annotations(source: Source) -> List[str]:
    """Parameters and results whose type a reader has to guess."""
    found = []
    for function in source.functions():
        if function.returns is None:
            found.append(source.at(function, f"{function.name} does not say what it returns"))
        for parameter in _parameters(function):
            if parameter.annotation is None:
                fault = f"{function.name} does not say what {parameter.arg} is"
                found.append(source.at(function, fault))
    return found


def _parameters(function: Function) -> List[ast.arg]:
    given = function.args
    ordered = given.posonlyargs + given.args
    if ordered and ordered[0].arg in ("self", "cls"):
        ordered = ordered[1:]
    rest: List[Optional[ast.arg]] = [given.vararg, given.kwarg]
    return ordered + given.kwonlyargs + [parameter for parameter in rest if parameter]


def swallowed_errors(source: Source) -> List[str]:
    """Bare `except`, and broad ones that neither raise again nor log what they caught."""
    found = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            found.append(source.at(node, "catches everything, even SystemExit, by a bare except"))
        elif _is_broad(node.type) and not _is_honest(node):
            found.append(source.at(node, "catches Exception and neither raises nor logs"))
    return found


def _is_broad(caught: ast.expr) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    broad = ("Exception", "BaseException")
    return any(isinstance(name, ast.Name) and name.id in broad for name in names)


def _is_honest(handler: ast.ExceptHandler) -> bool:
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.dump(node.func.value)
            if node.func.attr in _LOG_METHODS and re.search(r"'_?log(ger|ging)?'", owner):
                return True
    return False


def mutable_defaults(source: Source) -> List[str]:
    """Default values that all calls share, and change for each other."""
    kinds = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    found = []
    for function in source.functions():
        for default in function.args.defaults + [d for d in function.args.kw_defaults if d]:
            makes = default.func if isinstance(default, ast.Call) else None
            named = isinstance(makes, ast.Name) and makes.id in ("list", "dict", "set", "bytearray")
            if isinstance(default, kinds) or named:
                found.append(source.at(default, f"{function.name} has a mutable default"))
    return found


def stray_prints(source: Source) -> List[str]:
    """Calls of print where standard output belongs to nobody."""
    if source.path.startswith(PRINTING_PLACES) or source.name in LAUNCHERS:
        return []
    return [
        source.at(node, "prints")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]


def empty_asserts(source: Source) -> List[str]:
    """Assertions of a tuple, which are always true."""
    return [
        source.at(node, "asserts a tuple, which is always true")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Tuple)
    ]


def unfinished(source: Source) -> List[str]:
    """Marks of work that was left to nobody; open work stands in an issue."""
    lines = enumerate(source.text.splitlines(), 1)
    return [f"{source.path}:{n}: is unfinished" for n, line in lines if _UNFINISHED.search(line)]


def library_names() -> Set[str]:
    """The names of the standard library's modules."""
    known = getattr(sys, "stdlib_module_names", None)  # Since Python 3.10.
    if known is None:
        files = Path(os.__file__).parent.iterdir()
        known = {path.stem for path in files} | set(sys.builtin_module_names)
    return set(known)


COMMANDS = "data_service.shell.commands."
"""Its modules have the names of HDFS's commands, `stat` and `test` among them. They hide nothing:
all imports are absolute, and no program starts in that folder."""


def bad_names(source: Source) -> List[str]:
    """Modules whose name says nothing, or hides a module of the standard library."""
    name = source.name.rpartition(".")[2]
    if name == "__main__":
        return []  # Python's own name for what `python3 -m PACKAGE` runs.
    if name in FORBIDDEN_NAMES:
        return [f"{source.path}:1: {name} is no name: it says nothing of what is inside"]
    if name in library_names() and not source.name.startswith(COMMANDS):
        return [f"{source.path}:1: {name} is a module of the standard library"]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return [f"{source.path}:1: {name} is not lower_case"]
    return []


RULES = (
    missing_docstrings,
    missing_annotations,
    swallowed_errors,
    mutable_defaults,
    stray_prints,
    empty_asserts,
    unfinished,
    bad_names,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: object) -> None:
    assert callable(rule)
    findings = [line for source in sources() for line in rule(source)]
    assert not findings, report(findings)


BAD: List[Tuple[object, str]] = [
    (missing_docstrings, "x = 1"),
    (missing_docstrings, '"""M."""\nclass A:\n    pass'),
    (missing_docstrings, '"""M."""\nclass A:\n    """A."""\n    def f(self): pass'),
    (missing_docstrings, '"""M."""\ndef f(): pass'),
    (missing_annotations, "def f(): pass"),
    (missing_annotations, "def f(x) -> None: pass"),
    (missing_annotations, "class A:\n    def f(self, *, x) -> None: pass"),
    (missing_annotations, "def f(*x) -> None: pass"),
    (missing_annotations, "def f() -> None:\n    def g(x: int): pass"),
    (swallowed_errors, "try: f()\nexcept: raise"),
    (swallowed_errors, "try: f()\nexcept Exception: pass"),
    (swallowed_errors, "try: f()\nexcept (KeyError, BaseException): blog.error()"),
    (mutable_defaults, "def f(x=[]): pass"),
    (mutable_defaults, "def f(*, x=dict()): pass"),
    (stray_prints, "print(1)"),
    (empty_asserts, "assert (x, 'because')"),
    (unfinished, "# TO" "DO: the rest"),
    (unfinished, "x = 1  # FIX" "ME"),
]


@pytest.mark.parametrize("rule, text", BAD)
def test_a_fault_is_found(rule: object, text: str) -> None:
    assert callable(rule)
    assert len(rule(Source.of("zookeeper/x.py", text))) == 1


GOOD: List[Tuple[object, str]] = [
    (missing_docstrings, '"""M."""\ndef _f(): pass\nclass _A:\n    def f(self): pass'),
    (missing_docstrings, '"""M."""\ndef test_f() -> None: pass'),
    (missing_annotations, "def f(a: int, *b: int, c: int = 1, **d: int) -> None: pass"),
    (missing_annotations, "class A:\n    @classmethod\n    def f(cls) -> None: pass"),
    (swallowed_errors, "try: f()\nexcept ValueError: pass"),
    (swallowed_errors, "try: f()\nexcept Exception:\n    clean_up()\n    raise"),
    (swallowed_errors, "try: f()\nexcept Exception as error:\n    self._log.error('x')"),
    (mutable_defaults, "def f(x=(), y=None, z=0): pass"),
    (stray_prints, "printer(1)"),
    (empty_asserts, "assert x, 'because'"),
    (unfinished, "todos = 1"),
]


@pytest.mark.parametrize("rule, text", GOOD)
def test_what_is_right_is_not_found(rule: object, text: str) -> None:
    assert callable(rule)
    assert rule(Source.of("zookeeper/x.py", text)) == []


def test_a_bad_name_is_found() -> None:
    for path in ("zookeeper/utils.py", "scripts/queue.py", "data_service/base/__init__.py"):
        assert len(bad_names(Source.of(path, ""))) == 1
    assert len(bad_names(Source.of("zookeeper/ZooKeeper.py", ""))) == 1
    assert bad_names(Source.of("zookeeper/sessions.py", "")) == []


def test_printing_has_its_places() -> None:
    for path in ("scripts/x.py", "data_service/shell/x.py", "data_service/client.py"):
        assert stray_prints(Source.of(path, "print(1)")) == []
