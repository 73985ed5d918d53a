"""The metadata quorum in one thread, in virtual time, under one seed: see `quorum_run.py`."""
