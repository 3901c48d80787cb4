"""What SECURITY.md promises, each promise with its tests."""
