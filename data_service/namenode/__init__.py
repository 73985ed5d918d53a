"""The daemon that owns the namespace and the block map, around the state that decides."""
