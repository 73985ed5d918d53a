"""What every launcher needs before it can import anything else; without it, one sentence.

It is looked at when this is imported. An old Python must be able to read this file, so there are
no annotations, and nothing that Python 2.7 does not know.
"""

import os
import sys

if sys.version_info < (3, 9):
    sys.exit(
        "%s needs Python 3.9 or newer, and this is %d.%d: %s"
        % ((os.path.basename(sys.argv[0]),) + tuple(sys.version_info[:2]) + (sys.executable,))
    )

from importlib.util import find_spec

if find_spec("rpyc") is None:
    sys.exit(
        "%s needs the package rpyc, which %s does not have. Activate the environment that the "
        "quickstart made (. .venv/bin/activate), or: %s -m pip install rpyc"
        % (os.path.basename(sys.argv[0]), sys.executable, sys.executable)
    )
