"""When files were last opened for reading: noted at once, stored later, at most once an hour.

Reading must not wait for a disk, so an open only notes the file here. Housekeeping makes the notes
edits, many files at a time. What is noted and not yet stored is lost when the namenode stops:
nobody was promised it.
"""

from typing import Dict, List

from data_service.namenode.namespace.image import Image, put
from data_service.namenode.namespace.inodes import File
from metadata_service.edits import Change

PRECISION_MS = 3_600_000
"""How old a stored time must be before an open replaces it."""

NOTES_MAX = 100_000
"""Files that wait at most; further opens go unnoted until housekeeping has caught up."""


class AccessTimes:
    """The notes, by inode number."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._opened: Dict[int, int] = {}

    def note(self, file: File, wall_ms: int) -> None:
        """A file is opened for reading now."""
        if wall_ms - file.atime_ms > PRECISION_MS and len(self._opened) < NOTES_MAX:
            self._opened.setdefault(file.id, wall_ms)

    def take(self, limit: int) -> List[Change]:
        """The changes that store up to `limit` notes, which are then forgotten."""
        changes: List[Change] = []
        while self._opened and len(changes) < limit:
            number, wall_ms = self._opened.popitem()
            file = self._image.inodes.get(number)
            # It may be deleted since, or somebody set its times.
            if file is None or file.is_deleted or wall_ms - file.atime_ms <= PRECISION_MS:
                continue
            changes.append(put(file.row()._replace(atime_ms=wall_ms)))
        return changes

    def forget(self) -> None:
        """Another namenode leads: what was not stored is lost, a moment's worth."""
        self._opened.clear()

    def check(self) -> None:
        """Assert the bound, and that only files are noted."""
        assert len(self._opened) <= NOTES_MAX, "too many notes"
        for number in self._opened:
            inode = self._image.inodes.get(number)
            assert inode is None or isinstance(inode, File), f"{inode!r} cannot be opened"

    def __repr__(self) -> str:
        return f"<AccessTimes {len(self._opened)} noted>"
