"""From the program to the datanodes: blocks, and the moment when a file appears."""
