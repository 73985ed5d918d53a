"""The interactive prompt: lines from a person, or from a script."""
