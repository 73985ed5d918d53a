"""The command line, and a person who types."""
