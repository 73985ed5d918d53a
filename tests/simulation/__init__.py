"""The whole cluster in one thread, in virtual time, under one seed: see `simulation.py`."""
