"""What users program against, the storage port, and the pure rules."""
