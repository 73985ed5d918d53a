"""What is told of the cluster and of its blocks: lines and records made from the answers."""
