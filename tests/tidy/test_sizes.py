"""Files, functions and lines stay small enough to be read at once."""

from pathlib import Path
from typing import Iterator, List

from tests.tidy.source import ROOT, Source, report, sources

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
LINE_COLUMNS_MAX = 100


def long_lines(path: str, text: str) -> List[str]:
    """Lines that do not fit into an editor's window."""
    return [
        f"{path}:{number}: {len(line)} columns, more than {LINE_COLUMNS_MAX}"
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > LINE_COLUMNS_MAX
    ]


def long_files(path: str, text: str) -> List[str]:
    """A file of more lines than one reason to change needs."""
    count = len(text.splitlines())
    if count <= FILE_LINES_MAX:
        return []
    return [f"{path}:1: {count} lines, more than {FILE_LINES_MAX}"]


def long_functions(source: Source) -> List[str]:
    """Functions in which a second one hides. Decorators do not count, docstrings do."""
    found = []
    for function in source.functions():
        count = (function.end_lineno or function.lineno) - function.lineno + 1
        if count > FUNCTION_LINES_MAX:
            fault = f"{function.name} has {count} lines, more than {FUNCTION_LINES_MAX}"
            found.append(source.at(function, fault))
    return found


def _shell_scripts() -> Iterator[Path]:
    for folder in ("scripts", ".ci"):
        for path in sorted((ROOT / folder).iterdir()):
            if path.is_file() and path.suffix != ".py":
                yield path


def test_files_functions_and_lines_are_short() -> None:
    findings: List[str] = []
    for source in sources():
        findings += long_files(source.path, source.text)
        findings += long_lines(source.path, source.text)
        findings += long_functions(source)
    for path in _shell_scripts():
        text = path.read_text("utf-8")
        findings += long_files(path.name, text) + long_lines(path.name, text)
    assert not findings, report(findings)


def test_a_long_line_is_found() -> None:
    assert long_lines("a.py", "x" * 100 + "\n") == []
    assert long_lines("a.py", "\n" + "é" * 101) == ["a.py:2: 101 columns, more than 100"]


def test_a_long_file_is_found() -> None:
    assert long_files("a.py", "x\n" * 400) == []
    assert long_files("a.py", "x\n" * 401) == ["a.py:1: 401 lines, more than 400"]


def test_a_long_function_is_found() -> None:
    fits = "class A:\n    @staticmethod\n    def f():\n" + "        pass\n" * 49
    assert long_functions(Source.of("a.py", fits)) == []
    found = long_functions(Source.of("a.py", fits + "        pass\n"))
    assert found == ["a.py:3: f has 51 lines, more than 50"]
