"""HTTP: from the bytes of a request to what it says, and from an answer to its bytes."""
