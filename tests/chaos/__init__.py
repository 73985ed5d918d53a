"""A cluster of real processes under load while everything breaks; scripts/chaos.py runs it."""
