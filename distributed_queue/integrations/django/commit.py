"""Submitting when the database transaction is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

from django.db import transaction

if TYPE_CHECKING:
    from distributed_queue.core.app import AsyncTaskFunction, TaskFunction, TaskHandle

P = ParamSpec("P")
R = TypeVar("R")


def submit_on_commit(
    function: TaskFunction[P, R] | AsyncTaskFunction[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> TaskHandle[R]:
    """Submit a task once the transaction of the default database is committed; at once where there is none.

    The arguments are checked and taken as they are now; after a roll-back nothing is submitted. The handle is there
    at once, so that its id can be stored in the same transaction. A storage that is away then raises
    ``StorageUnavailable`` out of the commit, which stands all the same.
    """
    call = function.call(*args, **kwargs)

    def submit() -> None:
        function.app.submit_many([call])

    transaction.on_commit(submit)
    return function.handle(call.task.task_id)
