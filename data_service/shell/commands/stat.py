"""stat: chosen facts about files and directories."""

from typing import List

from data_service.protocol.files import FileStatus
from data_service.shell import formats
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import JSON, check_count, parse
from data_service.shell.records import Records
from data_service.shell.session import Session
from data_service.shell.trees import walk


def stat(session: Session, words: List[str]) -> None:
    """Show chosen facts about files and directories."""
    options = parse(words, f"R {JSON}", least=1)
    pattern = "%y"
    if "%" in options.arguments[0]:
        pattern = options.arguments.pop(0)
        check_count(options.arguments, 1)
    records = Records(session.out)

    def show(item: Item) -> None:
        for found in walk(session, item) if options.has("R") else [item]:
            if options.has(JSON):
                records.add(formats.status_record(found.found, found.text))
            else:
                session.out.line(status_format(pattern, found.found, found.name))

    session.each(options.arguments, show)
    if options.has(JSON):
        records.end()


def status_format(pattern: str, status: FileStatus, name: str) -> str:
    """`stat`'s format: `%n` name, `%b` bytes and so on; any other `%c` is `c`."""
    out, position = [], 0
    while position < len(pattern):
        character = pattern[position]
        if character == "%":
            position += 1
            # Nothing stands for a `%` at the end.
            out.append(_status_field(pattern[position : position + 1], status, name))
        else:
            out.append(character)
        position += 1
    return "".join(out)


def _status_field(letter: str, status: FileStatus, name: str) -> str:
    fields = {
        "a": f"{status.mode:o}",
        "A": formats.permissions(status.mode),
        "b": status.length,
        "F": "directory" if status.is_directory else "regular file",
        "g": status.group,
        "n": name,
        "o": status.block_size,
        "r": status.replication,
        "u": status.owner,
        "x": formats.second_utc(status.atime_ms),
        "X": status.atime_ms,
        "y": formats.second_utc(status.mtime_ms),
        "Y": status.mtime_ms,
    }
    return str(fields.get(letter, letter))
