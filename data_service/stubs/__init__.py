"""Servers as their callers see them: where tables of calls meet connections."""
