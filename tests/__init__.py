"""The tests: tidy, unit, property, simulation, cluster and faults, from quick to slow."""
