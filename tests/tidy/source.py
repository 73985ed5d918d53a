"""The project's own text, read once, for the checks that judge it."""

import ast
from functools import lru_cache
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple, Union

ROOT = Path(__file__).resolve().parents[2]

PRODUCT = ("zookeeper", "metadata_service", "data_service")
EVERYTHING = PRODUCT + ("scripts", "tests")

LAUNCHERS = {
    "zookeeper.zk",
    "metadata_service.metadata",
    "data_service.name_node",
    "data_service.data_node",
    "data_service.client",
    "data_service.web_gateway",
}
"""The six doors: modules that a person starts by their path."""

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class Source(NamedTuple):
    """One module. `path` is relative to the repository, with slashes."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> "Source":
        """A module of this text; for tests of the checks, also of modules that do not exist."""
        return cls(path, text, ast.parse(text, path))

    @property
    def name(self) -> str:
        """The dotted name; a package has the name of its folder."""
        parts = self.path[: -len(".py")].split("/")
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_package(self) -> bool:
        """Whether this is the `__init__.py` of a package."""
        return self.path.endswith("/__init__.py")

    def at(self, node: ast.AST, fault: str) -> str:
        """A finding, as one line that an editor can jump to."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {fault}"

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node


class Import(NamedTuple):
    """One imported name. `module` is what stands after `from` or `import`."""

    node: ast.AST
    module: str
    name: str  # Empty for `import module`.
    level: int  # Dots of a relative import.


def imports(source: Source) -> Iterator[Import]:
    """All imports of a module, also those inside of functions."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node, alias.name, "", 0)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(node, node.module or "", alias.name, node.level)


def sources(folders: Tuple[str, ...] = EVERYTHING) -> Tuple[Source, ...]:
    """Every Python module below these folders, sorted."""
    return tuple(source for folder in folders for source in _sources_below(folder))


@lru_cache(maxsize=None)
def _sources_below(folder: str) -> List[Source]:
    """The modules of one folder, parsed once for all checks: that takes seconds."""
    return [
        Source.of(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def report(findings: List[str]) -> str:
    """The message of a failed check: one finding a line."""
    return "\n" + "\n".join(findings)
