"""Who the caller is."""

import os
import pwd


def current_user() -> str:
    """$PYHDFS_USER, else $HADOOP_USER_NAME, else the operating system's user."""
    named = os.environ.get("PYHDFS_USER") or os.environ.get("HADOOP_USER_NAME")
    try:
        return named or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A user without an entry in the system's list, as in many containers.
        return str(os.getuid())
