"""A Django project with its tasks here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.worker import WorkerConfig
from distributed_queue.errors import InvalidArguments
from distributed_queue.testing import InlineWorker
from distributed_queue.tests.steps import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue import DistributedQ
    from distributed_queue.core.worker import Worker

PROJECT = Path(__file__).with_name("django_project")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, set up in this process, for good: Django can be only once in one. Where its databases are."""
    folder = tmp_path_factory.mktemp("shop")
    sys.path.append(str(PROJECT))
    os.environ.update(DJANGO_SETTINGS_MODULE="shop.settings", SHOP_FOLDER=str(folder))
    django = import_module("django")
    django.setup()
    import_module("django.core.management").call_command("migrate", verbosity=0)
    import_module("django.db").connections.close_all()
    return folder


@pytest.fixture
def tasks(shop_folder: Path) -> Iterator[Any]:
    """The project's tasks. Afterwards the shop is empty."""
    yield import_module("shop.tasks")
    app = import_module("distributed_queue.integrations.django").app
    app.queue.clear()
    app.close()
    import_module("shop.models").Order.objects.all().delete()
    import_module("django.db").connections.close_all()


@pytest.fixture
def app(tasks: Any) -> DistributedQ:
    found: DistributedQ = import_module("distributed_queue.integrations.django").app
    return found


@pytest.fixture
def worker(app: DistributedQ) -> Iterator[Worker]:
    """A worker in this process."""
    preparation = ("distributed_queue.integrations.django.worker",)
    worker = app.worker(WorkerConfig(shutdown_timeout=5.0, max_workers=2, children=1, child_imports=preparation))
    worker.start()
    yield worker
    worker.stop()


def order(item: str) -> Any:
    return import_module("shop.models").Order.objects.create(item=item)


class TestSubmittingOnCommit:
    def test_a_task_is_submitted_once_the_transaction_is_committed(self, tasks: Any, worker: Worker) -> None:
        transaction = import_module("django.db").transaction
        submit_on_commit = import_module("distributed_queue.integrations.django").submit_on_commit
        with transaction.atomic():
            made = order("a book")
            handle = submit_on_commit(tasks.confirm, made.pk)
            made.task_id = handle.id
            made.save()
            assert handle.task() is None
        assert handle.result(LIMIT) == "a book"
        made.refresh_from_db()
        assert (made.confirmed, made.task_id) == (True, handle.id)

    def test_after_a_roll_back_nothing_is_submitted(self, tasks: Any, app: DistributedQ) -> None:
        transaction = import_module("django.db").transaction
        submit_on_commit = import_module("distributed_queue.integrations.django").submit_on_commit

        def sell() -> None:
            with transaction.atomic():
                submit_on_commit(tasks.confirm, order("a book").pk)
                raise ValueError("sold out")

        with pytest.raises(ValueError, match="sold out"):
            sell()
        assert app.queue.size() == 0

    def test_outside_of_a_transaction_it_is_submitted_at_once(self, tasks: Any, app: DistributedQ) -> None:
        import_module("distributed_queue.integrations.django").submit_on_commit(tasks.confirm.options(delay=60), 1)
        assert app.queue.size() == 1

    def test_wrong_arguments_are_refused_before_the_commit(self, tasks: Any) -> None:
        with pytest.raises(InvalidArguments, match="order_id: int"):
            import_module("distributed_queue.integrations.django").submit_on_commit(tasks.confirm, "seven")


class TestWorking:
    def test_functions_of_all_kinds_use_the_database(self, tasks: Any, worker: Worker) -> None:
        order("a book")
        handles = [tasks.count.submit(), tasks.count_elsewhere.submit()]
        assert [handle.result(LIMIT) for handle in handles] == [1, 1]

    def test_the_connection_of_a_run_does_not_outlive_it(self, tasks: Any) -> None:
        connection = import_module("django.db").connection
        with InlineWorker(tasks.app) as inline:
            handle = tasks.open_connection.submit()
            inline.run()
            assert handle.result(0) is not None
            assert connection.connection is None  # CONN_MAX_AGE is 0

    def test_manage_py_becomes_a_worker_that_stops_gracefully(self, tasks: Any, tmp_path: Path) -> None:
        handle = tasks.confirm.submit(order("a book").pk)
        elsewhere = tasks.count_elsewhere.submit()
        program = subprocess.Popen(
            [sys.executable, str(PROJECT / "manage.py"), "dq_worker", "--threads", "2", "--name", "shop-worker"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            assert handle.result(LIMIT) == "a book"
            assert elsewhere.result(LIMIT) == 1
            assert [each.name for each in tasks.app.queue.storage.workers()] == ["shop-worker"]
            program.send_signal(signal.SIGTERM)
            assert program.wait(LIMIT) == 0
        finally:
            program.kill()
            program.wait()


class TestSettings:
    def test_what_is_unknown_is_refused_by_name(self, shop_folder: Path) -> None:
        override = import_module("django.test").override_settings
        conf = import_module("distributed_queue.integrations.django.conf")
        improper = import_module("django.core.exceptions").ImproperlyConfigured
        with override(DISTRIBUTED_QUEUE={"URI": "x"}), pytest.raises(improper, match="URI"):
            conf.read_settings()

    def test_without_any_the_environment_says_where_the_tasks_are(self, shop_folder: Path) -> None:
        override = import_module("django.test").override_settings
        conf = import_module("distributed_queue.integrations.django.conf")
        with override(DISTRIBUTED_QUEUE={}):
            assert conf.read_settings().url is None
