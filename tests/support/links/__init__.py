"""Connections that can be broken, and peers that say what a test wants."""
