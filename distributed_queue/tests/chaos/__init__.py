"""Tests that kill processes and servers while tasks run."""
