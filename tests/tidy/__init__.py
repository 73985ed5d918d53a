"""Architecture and style, held by tests: floors, purity, gates, sizes, names, launchers."""
