"""Which release this is: said by every program, in every log, and by the package itself."""

import platform

VERSION = "0.1.0"


def release() -> str:
    """The release and the Python that runs it, for a person who reports a fault."""
    return f"PyHDFS {VERSION}, Python {platform.python_version()}"
