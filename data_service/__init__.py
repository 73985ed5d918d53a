"""Floor 3: blocks (datanode), their names (namenode) and the people who use both (client)."""
