"""Leading the cluster: who may, how that is proved, and what a leader does by itself."""
