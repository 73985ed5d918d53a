"""What may be said between namenode, datanode and client; pure values, no input or output."""
