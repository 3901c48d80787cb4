"""``dq top``: what the dashboard shows, live in a terminal, over the same looks at the queue."""

from distributed_queue.cli.terminal.app import Top

__all__ = ["Top"]
