"""Tests of the dashboard in a real browser, with its policy in force."""
