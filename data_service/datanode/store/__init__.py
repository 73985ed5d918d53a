"""A datanode's directories, and the replicas in them."""
