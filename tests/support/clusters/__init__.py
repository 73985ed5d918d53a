"""Clusters of real processes, and what tests ask of them."""
