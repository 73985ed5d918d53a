#!/usr/bin/env python3
"""Launches a web gateway."""

import os
import sys

if not __package__:
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))

import zookeeper.needs  # noqa: F401
from data_service.web.daemon import main

if __name__ == "__main__":
    sys.exit(main())
