"""What a datanode does by itself, beside what is asked of it: it looks after its replicas."""
