"""From the datanodes to the program: blocks, verified."""
