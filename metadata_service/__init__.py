"""Floor 2: the durable, fenced record of the namespace."""
