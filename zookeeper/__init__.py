"""Floor 1: coordination, and in `fabric` what every process shares."""
