"""Bytes and attributes on their way: from store to store, and to standard output."""
