"""`python3 -m data_service`: the command line, as `client.py`."""

import sys

from data_service.shell.main import main

sys.exit(main())
