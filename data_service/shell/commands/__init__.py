"""The commands: a module each, or each pair, named after what a person types. See `table`."""
