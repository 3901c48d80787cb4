"""Metrics: what the storage counts, shown to Prometheus and as JSON. Readers only; nothing here changes a queue."""
