"""Disks that fail, and what lies on those of a test."""
