"""What scripts/cluster.py is made of: daemons in the background, their records and their logs."""
