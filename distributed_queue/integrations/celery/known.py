"""The applications and shared tasks of this process, and the error for what they cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from distributed_queue.integrations.celery.application import Celery
    from distributed_queue.integrations.celery.tasks import Task

applications: list[Celery] = []
"""In the order in which they were made; shared tasks are submitted by the first."""
shared_tasks: list[Task] = []


class NotCarriedOver(ConfigurationError):
    """A part of Celery's interface that this aid does not have. The message says what to write instead."""

    code = "not-carried-over"


def refuse(what: str, instead: str) -> NoReturn:
    """Raise ``NotCarriedOver``."""
    raise NotCarriedOver(f"{what} of Celery is not carried over: {instead}")


def first_application() -> Celery:
    """The application of tasks and results that name none. Raises ``ConfigurationError`` where there is none yet."""
    if not applications:
        raise ConfigurationError("There is no Celery(…) application yet")
    return applications[0]
