"""Ways in which the disk of a metadata service that does not run goes bad."""

import sqlite3
from pathlib import Path

from metadata_service.record.opening import NAME


def flip_a_row(directory: Path) -> None:
    """Change a name in the database without its checksum."""
    connection = sqlite3.connect(directory / NAME)
    changed = connection.execute("UPDATE inodes SET name = 'rotten' WHERE id = "
                                 "(SELECT max(id) FROM inodes)").rowcount
    connection.commit()
    connection.close()
    assert changed == 1


def break_the_log(directory: Path) -> None:
    """Flip a bit in the first frames of the write-ahead log, behind which many follow."""
    path = directory / (NAME + "-wal")
    data = bytearray(path.read_bytes())
    data[len(data) // 8] ^= 1
    path.write_bytes(bytes(data))
