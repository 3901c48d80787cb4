"""``manage.py dq_worker``: ``dq worker`` for this project."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from collections.abc import Sequence

_MODULE = "distributed_queue.integrations.django.worker"


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Takes the options of ``dq worker``, and becomes it: its signals, processes and exit codes are the same."""

    help = "Run the project's tasks, with the options of dq worker: --threads, --processes, --queues …"

    def run_from_argv(self, argv: Sequence[str]) -> None:
        """As ``manage.py`` calls it; it has honoured the two options of its own already."""
        of_django = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        of_django.add_argument("--settings")
        of_django.add_argument("--pythonpath")
        self.handle(*of_django.parse_known_args(argv[2:])[1])

    def handle(self, *arguments: str) -> NoReturn:
        """Replace this process."""
        # The worker finds modules where manage.py finds them, whatever folder it was called in.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        sys.stdout.flush()
        os.execv(  # noqa: S606 - this program itself, with the user's own arguments
            sys.executable, [sys.executable, "-m", "distributed_queue", "worker", _MODULE, *arguments]
        )
