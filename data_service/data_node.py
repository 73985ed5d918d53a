#!/usr/bin/env python3
"""Launches a datanode."""

import os
import sys

if not __package__:
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))

import zookeeper.needs  # noqa: F401
from data_service.datanode.daemon import main

if __name__ == "__main__":
    sys.exit(main())
