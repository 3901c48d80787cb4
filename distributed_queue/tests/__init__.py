"""The tests. They ship with the package; see docs/development/testing.md for their layout."""
