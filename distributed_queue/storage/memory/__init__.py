"""The memory engine: the reference that the others are compared with. Nothing survives the process."""

from distributed_queue.storage.memory.storage import MemoryStorage

__all__ = ["MemoryStorage"]
