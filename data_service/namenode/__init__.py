"""The namespace, the block map and the daemon that owns them."""
