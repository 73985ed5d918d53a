"""Plain models of what the product does, and parts of it that stand alone in a test."""
