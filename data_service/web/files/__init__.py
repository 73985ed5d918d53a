"""What the page asks of files and WebHDFS has no words for: health of blocks, trash, open files."""
