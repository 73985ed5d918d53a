"""What a FileSystem promises to programs: the same cases in memory and on a real cluster."""
