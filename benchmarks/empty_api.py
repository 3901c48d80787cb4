"""FastAPI endpoints that take what ours take, and do nothing: ``python -m benchmarks.empty_api PORT``."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI

from distributed_queue.api.models.tasks import BatchIn, TaskIn  # noqa: TC001 - FastAPI evaluates annotations
from distributed_queue.testing.servers import HOST

app = FastAPI()


@app.post("/api/v1/tasks", status_code=201)
async def submit_task(body: TaskIn) -> dict[str, str]:
    """Check it, and answer."""
    return {"status": "pending", "type": str(body.payload)[:1]}


@app.post("/api/v1/tasks/batch", status_code=201)
async def submit_tasks(body: BatchIn) -> dict[str, int]:
    """Check them, and answer."""
    return {"count": len(body.tasks)}


if __name__ == "__main__":
    uvicorn.run(app, host=HOST, port=int(sys.argv[1]), log_config=None, access_log=False, ws="none")
