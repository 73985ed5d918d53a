"""`-D name=value`: what HDFS's users set for one command, heeded or refused.

A definition that nobody looks at would be a promise that is not kept: a secret stored with
`-D fs.permissions.umask-mode=077` must not become a file that all may read.
"""

import re
from typing import Dict, Mapping, Optional

from data_service.protocol.checksums import BYTES_PER_CRC
from data_service.shell.arguments.options import binary_number
from data_service.shell.arguments.stores import Creation
from data_service.shell.failures import UsageError
from zookeeper.fabric.errors import InvalidArgument

REPLICATION, BLOCK_SIZE = "dfs.replication", "dfs.blocksize"
UMASK = "fs.permissions.umask-mode"
TRASH_MINUTES = "fs.trash.interval"
DELETE_LIMIT = "hadoop.shell.delete.limit.num.files"
DEFAULT_FILE_SYSTEM = "fs.defaultFS"

OLD_NAMES = {
    "dfs.block.size": BLOCK_SIZE,
    "dfs.umaskmode": UMASK,
    "dfs.umask": UMASK,
    "hadoop.shell.safely.delete.limit.num.files": DELETE_LIMIT,
    "fs.default.name": DEFAULT_FILE_SYSTEM,
}
"""Other names by which HDFS has known the same."""

HEEDED = (REPLICATION, BLOCK_SIZE, UMASK, TRASH_MINUTES, DELETE_LIMIT, DEFAULT_FILE_SYSTEM)

FIXED = {
    "dfs.checksum.type": "CRC32",
    "dfs.bytes-per-checksum": "512",
    "dfs.permissions.enabled": "true",
    "dfs.permissions.superusergroup": "supergroup",
    "fs.permissions.umask-mode": "022",
}
"""What HDFS lets people choose, and is chosen here; the umask can be defined for a command."""

_NUMBER = r"[-+]?[0-9]{1,18}"
_UMASK = r"0?[0-7]{1,3}"


def check(definitions: Mapping[str, str]) -> Dict[str, str]:
    """The definitions by their present names; raises UsageError for what is not heeded here."""
    found: Dict[str, str] = {}
    for name, value in definitions.items():
        known = OLD_NAMES.get(name, name)
        # Who asks for what is so anyway may say it.
        if known not in HEEDED and FIXED.get(known) != value:
            raise UsageError(
                f"-D {name}={value} would have no effect. Known are {', '.join(HEEDED)}; "
                "what is set for all is in config.ini"
            )
        found[known] = value
    return found


class Definitions:
    """What was defined, by HDFS's names, as the values that commands want."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __repr__(self) -> str:
        return f"<Definitions {dict(self._texts)}>"

    def number(self, name: str, default: int = 0) -> int:
        """A number that was defined; raises UsageError."""
        text = self._texts.get(name)
        if text is None:
            return default
        if not re.fullmatch(_NUMBER, text.strip()):
            raise UsageError(f'For input string: "{text}"')
        return int(text)

    @property
    def replication(self) -> int:
        """How many replicas new files get; 0, when nothing was said, is the cluster's default."""
        if REPLICATION not in self._texts:
            return 0
        number = self.number(REPLICATION)
        if number < 1:
            raise InvalidArgument(
                f"Requested replication factor of {number} is less than the required minimum of 1"
            )
        return number

    @property
    def block_size(self) -> int:
        """The block size of new files, such as `64m`; 0, when nothing was said, is the default."""
        text = self._texts.get(BLOCK_SIZE)
        if text is None:
            return 0
        number = binary_number(text, f'For input string: "{text}"')
        if number < BYTES_PER_CRC:
            raise InvalidArgument(
                "Specified block size is less than configured minimum value "
                f"(dfs.namenode.fs-limits.min-block-size): {number} < {BYTES_PER_CRC}"
            )
        if number % BYTES_PER_CRC:
            raise UsageError(
                f"Invalid values: dfs.bytes-per-checksum (={BYTES_PER_CRC}) must divide "
                f"block size (={number})."
            )
        return number

    @property
    def umask(self) -> Optional[int]:
        """The bits that new files and directories do not get; None when nothing was said.

        Octal, as nearly everybody writes it; HDFS's symbolic form is refused.
        """
        text = self._texts.get(UMASK)
        if text is None:
            return None
        if not re.fullmatch(_UMASK, text.strip()):
            raise UsageError(f"Unable to parse configuration {UMASK} with {text} as octal umask.")
        return int(text, 8)

    def creation(self, overwrite: bool, replication: int = 0) -> Creation:
        """How a new file is made; `replication` is that of the command itself, or 0."""
        return Creation(overwrite, replication or self.replication, self.block_size)
