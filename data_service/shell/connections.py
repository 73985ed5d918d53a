"""The FileSystems of this process: opened when first needed, and kept for the next command."""

import os
from typing import Any, Dict, Optional, Tuple

from data_service.shell.streams import complain

CONFIG_VARIABLE = "PYHDFS_CONFIG"
USER_VARIABLE, HADOOP_USER_VARIABLE = "PYHDFS_USER", "HADOOP_USER_NAME"

_open: Dict[Tuple[str, str], Any] = {}


def connect(config: Optional[str]) -> Any:
    """The FileSystem of a config.ini (None: the default one) for this moment's user."""
    path = config or os.environ.get(CONFIG_VARIABLE) or ""
    user = os.environ.get(USER_VARIABLE) or os.environ.get(HADOOP_USER_VARIABLE) or ""
    key = (os.path.abspath(path) if path else "", user)
    if key not in _open:
        made = open_file_system(config)
        # Another thread may have been faster.
        if _open.setdefault(key, made) is not made:
            made.close()
    return _open[key]


def open_file_system(config: Optional[str]) -> Any:
    """A new FileSystem; raises SettingsError."""
    from data_service.filesystem import FileSystem

    return FileSystem(config, on_warning=_warn)


def forget() -> None:
    """Close all that is open."""
    while _open:
        _open.popitem()[1].close()


def _warn(sentence: str) -> None:
    complain(f"warning: {sentence}")
