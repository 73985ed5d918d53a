"""The Python that every launcher needs; an older one gets a sentence in place of a traceback.

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
