"""du, df, count: how much there is."""

import json
from typing import Any, Dict, List, Optional, Sequence, Tuple

from data_service.protocol.files import QUOTA_RESET, ContentSummary, QuotaUsage
from data_service.protocol.redundancy import replicated
from data_service.protocol.sizes import scaled
from data_service.shell import formats
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import JSON, Options, parse
from data_service.shell.failures import UsageError
from data_service.shell.listing import ERASURE_CODING
from data_service.shell.session import Session

DU_HEADER = ("SIZE", "DISK_SPACE_CONSUMED_WITH_ALL_REPLICAS", "FULL_PATH_NAME")
DF_HEADER = ("Filesystem", "Size", "Used", "Available", "Use%")
COUNT_FORMAT = "{:>12} {:>12} {:>18} "
SNAPSHOT_FORMAT = "{:>18} {:>24} {:>24} {:>28} "
SNAPSHOT_HEADER = (
    "SNAPSHOT_LENGTH", "SNAPSHOT_FILE_COUNT", "SNAPSHOT_DIR_COUNT", "SNAPSHOT_SPACE_CONSUMED"
)
CODED_DIRECTORY = "EC:"
"""What HDFS's `count -e` shows of a directory, whose files could be made redundant in any way."""
QUOTA_FORMAT = "{:>12} {:>15} {:>15} {:>15} "
TYPE_FORMAT = "{:>13} {:>17} "
STORAGE_TYPES = ("SSD", "DISK", "ARCHIVE", "PROVIDED")
NO_QUOTA, NO_LIMIT = "none", "inf"
NO_QUOTAS = QuotaUsage(QUOTA_RESET, 0, QUOTA_RESET, 0)
NOTHING = ContentSummary(0, 0, 0, 0)


def du(session: Session, words: List[str]) -> None:
    """Show the sizes of files and trees, alone and with all replicas."""
    options = parse(words, f"s h v x {JSON}")
    found: List[Tuple[int, int, str]] = []

    def measure(item: Item) -> None:
        length, space = _size(item)
        found.append((length, space, item.text))

    def argument(item: Item) -> None:
        if item.is_directory and not options.has("s"):
            for child in item.children():
                session.attempt(lambda: measure(child), child.text)
        else:
            measure(item)

    session.each(options.arguments or ["."], argument)
    if options.has(JSON):
        names = ("length", "space", "path")
        session.out.document(json.dumps([dict(zip(names, row)) for row in found], indent=1))
        return
    rows = [(_size_text(a, options.has("h")), _size_text(b, options.has("h")), text)
            for a, b, text in found]
    header = [DU_HEADER] if rows and options.has("v") else []
    for line in formats.columns(header + rows):
        session.out.line(line)


def _size(item: Item) -> Tuple[int, int]:
    if not item.is_directory:
        length = item.found.length
        return length, replicated(item.found.replication).space(length)
    summary = item.store.content_summary(item.path)
    return summary.length, summary.space


def _size_text(size: int, human: bool) -> str:
    return scaled(size) if human else str(size)


def df(session: Session, words: List[str]) -> None:
    """Show the room in the file system."""
    options = parse(words, f"h {JSON}")
    found = []

    def measure(item: Item) -> None:
        label = item.store.uri + "/" * item.store.is_local
        found.append((label, *item.store.space()))

    session.each(options.arguments or ["/"], measure)
    if options.has(JSON):
        names = ("filesystem", "capacity", "used", "remaining")
        session.out.document(json.dumps([dict(zip(names, row)) for row in found], indent=1))
        return
    rows: List[Sequence[str]] = [DF_HEADER] if found else []
    for uri, capacity, used, remaining in found:
        sizes = [_size_text(size, options.has("h")) for size in (capacity, used, remaining)]
        rows.append((uri, *sizes, formats.percent(used, capacity, 0)))
    for line in formats.columns(rows, right=(1, 2, 3, 4)):
        session.out.line(line)


def count(session: Session, words: List[str]) -> None:
    """Count directories, files and bytes."""
    options = parse(words, f"q u h v x e s {JSON}", "t", least=1)
    quotas = options.has("q", "u")
    types = _storage_types(options.value("t")) if quotas else None
    records: List[Dict[str, Any]] = []
    if options.has("v") and not options.has(JSON):
        session.out.line(_count_header(options, types) + "PATHNAME")

    def show(item: Item) -> None:
        usage = item.store.quota_usage(item.path) if quotas else NO_QUOTAS
        counted = types is None and not options.has("u") or options.has(JSON)
        summary = item.store.content_summary(item.path) if counted else NOTHING
        if options.has(JSON):
            records.append(_count_record(summary, usage if quotas else None, item.text))
            return
        line = _quota_columns(usage, types, options.has("h")) if quotas else ""
        if types is None and not options.has("u"):
            line += _count_columns(summary, options.has("h"))
            if options.has("s"):
                line += SNAPSHOT_FORMAT.format(0, 0, 0, 0)
        if options.has("e"):
            line += f"{CODED_DIRECTORY if item.is_directory else ERASURE_CODING} "
        session.out.line(line + item.text)

    session.each(options.arguments, show)
    if options.has(JSON):
        session.out.document(json.dumps(records, indent=1))


def _count_columns(summary: ContentSummary, human: bool) -> str:
    sizes = (summary.directories, summary.files, summary.length)
    return COUNT_FORMAT.format(*(_size_text(size, human) for size in sizes))


def _quota_columns(usage: QuotaUsage, types: Optional[List[str]], human: bool) -> str:
    if types is not None:
        return TYPE_FORMAT.format(NO_QUOTA, NO_LIMIT) * len(types)
    cells: List[str] = []
    for quota, used in (usage[:2], usage[2:]):
        if quota == QUOTA_RESET:
            cells += (NO_QUOTA, NO_LIMIT)
        else:
            cells += (_size_text(quota, human), _size_text(quota - used, human))
    return QUOTA_FORMAT.format(*cells)


def _count_record(
    summary: ContentSummary, usage: Optional[QuotaUsage], text: str
) -> Dict[str, Any]:
    """A line of `count` for a program; a quota that is not set is null."""
    record = dict(summary._asdict(), path=text)
    if usage is not None:
        for name, quota in (("name", usage.name_quota), ("space", usage.space_quota)):
            record[f"{name}_quota"] = None if quota == QUOTA_RESET else quota
        record.update(names_used=usage.names, space_used=usage.space)
    return record


def _count_header(options: Options, types: Optional[List[str]]) -> str:
    if types is not None:
        return "".join(TYPE_FORMAT.format(f"{t}_QUOTA", f"REM_{t}_QUOTA") for t in types)
    header = ""
    if options.has("q", "u"):
        header = QUOTA_FORMAT.format("QUOTA", "REM_QUOTA", "SPACE_QUOTA", "REM_SPACE_QUOTA")
    if not options.has("u"):
        header += COUNT_FORMAT.format("DIR_COUNT", "FILE_COUNT", "CONTENT_SIZE")
        if options.has("s"):
            header += SNAPSHOT_FORMAT.format(*SNAPSHOT_HEADER)
    return header + ("ERASURECODING_POLICY " if options.has("e") else "")


def _storage_types(text: Optional[str]) -> Optional[List[str]]:
    if text is None:
        return None
    if text.lower() in ("", "all"):
        return list(STORAGE_TYPES)
    types = [name.upper() for name in text.split(",")]
    for name in types:
        if name not in STORAGE_TYPES:
            raise UsageError(f"No enum constant org.apache.hadoop.fs.StorageType.{name}")
    return types
