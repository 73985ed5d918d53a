"""Who the caller is."""

import os
import pwd


def named_user() -> str:
    """$PYHDFS_USER, else $HADOOP_USER_NAME, else nobody."""
    return os.environ.get("PYHDFS_USER") or os.environ.get("HADOOP_USER_NAME") or ""


def current_user() -> str:
    """The named user, else the operating system's."""
    try:
        return named_user() or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A user without an entry in the system's list, as in many containers.
        return str(os.getuid())
