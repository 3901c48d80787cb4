"""Storage engines: each implements the port, and none knows another."""
