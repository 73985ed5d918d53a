"""The bytes: blocks, their checksums and the daemon that keeps them."""
