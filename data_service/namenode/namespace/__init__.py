"""The tree of names: inodes and the rows they are stored as, and what may be done to them. Pure."""
