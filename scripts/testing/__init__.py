"""What `scripts/test` is made of: several pytest processes that share one suite."""
