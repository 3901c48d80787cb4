"""The Redis engine: one server, shared by any number of hosts. A script a verb, the server's own time."""

from distributed_queue.storage.redis.storage import RedisStorage

__all__ = ["RedisStorage"]
