"""One member of the quorum: what it promises, stores and applies, and how it catches up."""
