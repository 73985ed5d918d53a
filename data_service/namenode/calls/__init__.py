"""What others may ask of the namenode, call by call."""
