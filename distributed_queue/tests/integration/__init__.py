"""Tests of parts that work together: queues, workers and real storages."""
