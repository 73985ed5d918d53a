"""The record on one disk: a database, its log, its copies."""
