"""`python3 -m data_service`: the command line, as `client.py`."""

import sys

import zookeeper.needs  # noqa: F401
from data_service.shell.main import main

sys.exit(main())
