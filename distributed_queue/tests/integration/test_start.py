"""What a worker's process loads until its first task is done: each package costs every process its time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.testing.servers import RedisServer

PROGRAM = """
import json, sys, threading
from distributed_queue import HybridQueue, Task, Worker, WorkerConfig
with HybridQueue.from_url(sys.argv[1]) as queue:
    worker = Worker(queue, WorkerConfig(name="w"))
    worker.register_handler("double", lambda number: number * 2)
    worker.start()
    task = Task(priority=1, payload={"type": "double", "data": 21})
    queue.put(task)
    result = queue.wait_result(task.task_id, 60)
    worker.stop()
print(json.dumps([result, sorted(sys.modules)]))
"""
DEAR = {"asyncio", "concurrent.futures", "email", "http", "multiprocessing", "pydantic", "redis", "rich", "ssl"}


@pytest.mark.parametrize("engine", ["memory", "sqlite", "redis"])
def test_a_worker_of_plain_functions_loads_nothing_dear(engine: str, tmp_path: Path, redis_server: RedisServer) -> None:
    redis_server.flush()
    url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/q.db", "redis": redis_server.url}[engine]
    done = subprocess.run([sys.executable, "-c", PROGRAM, url], capture_output=True, check=True, timeout=100)
    result, loaded = json.loads(done.stdout)
    assert result == 42
    assert DEAR.intersection(loaded) == set()
