"""WebHDFS: what each operation means, and what is told of it."""
