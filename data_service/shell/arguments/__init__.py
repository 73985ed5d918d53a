"""What stands behind the name of a command: options, paths, and what they mean."""
