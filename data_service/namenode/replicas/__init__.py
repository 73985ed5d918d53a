"""Who holds which block, who is alive, and what is to be copied and removed. All pure."""
