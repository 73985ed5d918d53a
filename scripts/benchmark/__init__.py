"""The parts of scripts/bench.py: floors, clients, measures, results, and the report of them."""
