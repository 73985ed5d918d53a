"""What tests are built from: clusters of real processes, and links that can be broken."""
