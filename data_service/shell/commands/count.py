"""count: how many directories, files and bytes there are, and how many there may be."""

from typing import Any, Dict, List, Optional

from data_service.protocol.files import QUOTA_RESET, ContentSummary, QuotaUsage
from data_service.shell import formats
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import JSON, Options, parse
from data_service.shell.failures import UsageError
from data_service.shell.records import Records
from data_service.shell.session import Session

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


def count(session: Session, words: List[str]) -> None:
    """Count directories, files and bytes."""
    options = parse(words, f"q u h v x e s {JSON}", "t", least=1)
    quotas = options.has("q", "u")
    types = _storage_types(options.value("t")) if quotas else None
    records = Records(session.out)
    if options.has("v") and not options.has(JSON):
        session.out.line(_count_header(options, types) + "PATHNAME")

    def show(item: Item) -> None:
        usage = item.store.quota_usage(item.path) if quotas else NO_QUOTAS
        counted = types is None and not options.has("u") or options.has(JSON)
        summary = item.store.content_summary(item.path) if counted else NOTHING
        if options.has(JSON):
            records.add(_count_record(summary, usage if quotas else None, item.text))
            return
        line = _quota_columns(usage, types, options.has("h")) if quotas else ""
        if types is None and not options.has("u"):
            line += _count_columns(summary, options.has("h"))
            if options.has("s"):
                line += SNAPSHOT_FORMAT.format(0, 0, 0, 0)
        if options.has("e"):
            line += f"{CODED_DIRECTORY if item.is_directory else formats.REPLICATED} "
        session.out.line(line + item.text)

    session.each(options.arguments, show)
    if options.has(JSON):
        records.end()


def _count_columns(summary: ContentSummary, human: bool) -> str:
    sizes = (summary.directories, summary.files, summary.length)
    return COUNT_FORMAT.format(*(formats.size(size, human) for size in sizes))


def _quota_columns(usage: QuotaUsage, types: Optional[List[str]], human: bool) -> str:
    if types is not None:
        return TYPE_FORMAT.format(NO_QUOTA, NO_LIMIT) * len(types)
    cells: List[str] = []
    for quota, used in (usage[:2], usage[2:]):
        if quota == QUOTA_RESET:
            cells += (NO_QUOTA, NO_LIMIT)
        else:
            cells += (formats.size(quota, human), formats.size(quota - used, human))
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
