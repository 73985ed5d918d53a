"""A real browser that tests drive: the page as people see it."""
