"""A module imports what it uses, and nothing else."""

import ast
import re
from typing import Iterator, List, Set, Tuple

import pytest

from tests.tidy.source import Source, report, sources

FOR_ITS_EFFECT = {"zookeeper.needs"}
"""Importing this says what is missing, before anything else is imported."""


def unused_imports(source: Source) -> List[str]:
    """Imported names that nothing in the module, and nobody who imports it, can need."""
    used = _used(source)
    return [
        source.at(node, f"imports {name}, which it does not use")
        for node, name in _imported(source)
        if name not in used
    ]


def _imported(source: Source) -> Iterator[Tuple[ast.AST, str]]:
    """The names that imports bind; `import a.b` is used by who says a.b."""
    for node in ast.walk(source.tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        above = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            if above + alias.name not in FOR_ITS_EFFECT:
                yield node, alias.asname or alias.name


def _used(source: Source) -> Set[str]:
    """Every name and dotted name that is read, also in annotations that are text; `__all__`."""
    used: Set[str] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Load, ast.Del)):
            used.add(node.id)
        elif isinstance(node, ast.Attribute):
            used.add(ast.unparse(node))
        elif isinstance(node, ast.Assign) and "__all__" in map(ast.unparse, node.targets):
            used.update(ast.literal_eval(node.value))
        for annotation in _annotations(node):
            for part in ast.walk(annotation):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    used.update(re.findall(r"\w+", part.value))
    return used


def _annotations(node: ast.AST) -> Iterator[ast.expr]:
    for field in ("annotation", "returns"):
        found = getattr(node, field, None)
        if isinstance(found, ast.expr):
            yield found


def test_what_is_imported_is_used() -> None:
    findings = [line for source in sources() for line in unused_imports(source)]
    assert not findings, report(findings)


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "import os.path\nos.sep",
        "import os as system\nos = 1",
        "from os import path, sep\nsep",
        "from os import path\npath = 1",
        "def f() -> None:\n    import os",
    ],
)
def test_an_unused_import_is_found(text: str) -> None:
    assert len(unused_imports(Source.of("a.py", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos.sep",
        "import os.path\nprint(os.path.sep)",
        "import os as system\nsystem.sep",
        "from os import path\n__all__ = ['path']",
        "from os import PathLike\ndef f(x: 'PathLike[str]') -> None: ...",
        "from os import PathLike\nx: 'PathLike'",
        "from zookeeper import needs",
        "def f() -> None:\n    import os\n    os.sep",
    ],
)
def test_a_used_import_is_allowed(text: str) -> None:
    assert unused_imports(Source.of("a.py", text)) == []
