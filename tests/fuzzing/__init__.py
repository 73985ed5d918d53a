"""What scripts/fuzz.py is made of: odd messages, who sends them, and what must not come of it."""
