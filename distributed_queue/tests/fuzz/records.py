"""Three tasks, of which something else wrote over the middle one; and what has to hold all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_queue.tests.steps import eventually, put, running
from distributed_queue.tests.surfaces.api_server import Api, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.task import Task

BODIES = {
    "nothing": b"",
    "no MessagePack": b"\xc1",
    "cut off": b"\x91\xa5hel",
    "trailing bytes": b"\x91\x01\x01",
    "no UTF-8": b"\x91\xa1\xff",
    "a later layout": b"\x93\x01\x80\x01",
    "a policy of later": b"\x92\x01\x81\xa1q\x01",
    "a policy out of range": b"\x92\x01\x81\xa1t\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
    "an extension": b"\x91\xc7\x08\x05aaaaaaaa",
    "no array": b"\x01",
    "nested without end": b"\x91" * 100_000,
    "more announced than there is": b"\x91\xdd\xff\xff\xff\xff\x01",
    "huge": b"\xc1" * (2 << 20),
}
_PATHS = ("/tasks", "/tasks/bad", "/stats", "/dead-letters", "/metrics", "/metrics/json", "/queues", "/workers")


def look_everywhere(api: Api) -> None:
    """Everything that shows tasks answers, whatever they are."""
    for path in _PATHS:
        response = api.client.get(path, params={"limit": 10} if path == "/tasks" else None)
        assert response.status_code < 500, (path, response.text)


def work_around(queue: HybridQueue, overwrite: Callable[[], object]) -> Task | None:
    """Overwrite the task ``bad`` and let a worker run; the dead letter that came of it, if one did.

    The tasks around it are completed; whatever is looked at, before and after, answers; nothing stays behind.
    """
    around = [put(queue, "before", task_id="before"), put(queue, "bad", task_id="bad")]
    around.append(put(queue, "after", task_id="after"))
    overwrite()
    with serve(queue) as api:
        look_everywhere(api)
        with running(queue, handlers={"default": lambda payload: payload if isinstance(payload, str) else None}):
            for task in (around[0], around[2]):
                assert queue.wait_result(task.task_id, 20) == task.payload
            eventually(lambda: not queue.size() and not api.get("/stats")["counts"]["processing"])
        look_everywhere(api)
        letters = queue.get_dead_letters()
        for letter in letters:
            assert letter.reason == "unreadable"
            assert api.get("/dead-letters")["items"][0]["reason"] == "unreadable"
        return letters[0] if letters else None
