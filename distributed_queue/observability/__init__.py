"""What the faces tell of queues and workers: metrics, rates, problems, logs, traces. Nothing here changes a queue."""
