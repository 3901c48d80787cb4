"""Tests of the repository itself: its tree, its documents, its packaging."""
