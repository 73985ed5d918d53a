"""Answers for a program: what `--json` writes."""

from typing import Any, Mapping

from data_service.shell.streams import Output


class Records:
    """A list that is written while it grows, so that nobody needs memory for all of it.

    In the end it is what `json.dumps` makes of the whole list.
    """

    def __init__(self, out: Output) -> None:
        self._out = out
        self._separator = "["

    def add(self, record: Mapping[str, Any]) -> None:
        """A further element."""
        element = _as_json(record).replace("\n", "\n ")
        self._out.text(f"{self._separator}\n {element}")
        self._separator = ","

    def end(self) -> None:
        """Close the list."""
        self._out.text("[]\n" if self._separator == "[" else "\n]\n")


def document(out: Output, value: Any) -> None:
    """An answer that is written as a whole."""
    out.text(_as_json(value) + "\n")


def _as_json(value: Any) -> str:
    # Who writes none need not wait for the module.
    import json

    return json.dumps(value, indent=1)
