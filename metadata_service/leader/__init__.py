"""The side of the namenode that leads: its edits go to all members, a majority decides."""
