"""A Django project with its tasks here."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.worker import WorkerConfig
from distributed_queue.errors import InvalidArguments
from distributed_queue.testing import InlineWorker
from distributed_queue.tests.steps import LIMIT, look

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


class TestBackend:
    """``django.tasks``: Django's own from 6.0 on, before that the back-port."""

    def test_a_task_of_django_is_run_and_its_result_is_found(self, tasks: Any) -> None:
        with InlineWorker(tasks.app) as inline:
            result = tasks.send_mail.enqueue("ada@example.org", subject="hello")
            assert (str(result.status), result.args, result.kwargs) == (
                "READY", ["ada@example.org"], {"subject": "hello"}
            )  # fmt: skip
            assert inline.submitted()[0].type == "shop.tasks.send_mail"
            assert (inline.submitted()[0].queue, inline.submitted()[0].priority) == ("mail", 90)
            inline.run()
            result.refresh()
            assert (str(result.status), result.return_value) == ("SUCCESSFUL", "hello to ada@example.org")
            assert (result.attempts, result.is_finished, result.errors) == (1, True, [])
            assert result.enqueued_at <= result.started_at <= result.finished_at
            found = tasks.send_mail.get_result(result.id)
            assert (found.task.func, found.task.priority) == (tasks.send_mail.func, 10)

    def test_one_that_fails_is_tried_again_as_the_options_say_and_its_error_is_told(self, tasks: Any) -> None:
        with InlineWorker(tasks.app) as inline:
            result = tasks.refuse.enqueue("ada@example.org")
            inline.run()
            result.refresh()
            assert (str(result.status), result.attempts) == ("READY", 1)
            inline.advance(minutes=1)
            result.refresh()
            assert (str(result.status), result.attempts) == ("FAILED", 2)
            assert result.errors[-1].exception_class is tasks.MailRefused
            assert "ada@example.org" in result.errors[-1].traceback

    def test_one_that_is_to_run_later_waits(self, tasks: Any) -> None:
        timezone = import_module("django.utils.timezone")
        with InlineWorker(tasks.app) as inline:
            later = timezone.now() + timedelta(hours=1)
            tasks.send_mail.using(run_after=later).enqueue("ada@example.org")
            assert inline.run() == []
            assert look(inline.queue, inline.submitted()[0]).execute_after == pytest.approx(later.timestamp())

    def test_its_context_tells_the_attempt(self, tasks: Any) -> None:
        with InlineWorker(tasks.app) as inline:
            result = tasks.tell_attempt.enqueue()
            inline.run()
            result.refresh()
            assert result.return_value == [1, result.id]

    async def test_coroutines_enqueue_and_run_too(self, tasks: Any, worker: Worker) -> None:
        result = await tasks.asend_mail.aenqueue("ada@example.org")
        assert await asyncio.to_thread(tasks.app.queue.wait_result, result.id, LIMIT) == "to ada@example.org"
        await result.arefresh()
        assert result.return_value == "to ada@example.org"

    def test_signals_tell_of_it(self, tasks: Any) -> None:
        interface = import_module("distributed_queue.integrations.django.interface")
        heard: list[tuple[str, str]] = []

        def hear(signal: Any, task_result: Any, **_: Any) -> None:
            heard.append((names[signal], str(task_result.status)))

        names = {getattr(interface, f"task_{name}"): name for name in ("enqueued", "started", "finished")}
        for each in names:
            each.connect(hear)
        try:
            with InlineWorker(tasks.app) as inline:
                tasks.send_mail.enqueue("ada@example.org")
                inline.run()
                tasks.refuse.enqueue("ada@example.org")
                inline.advance(minutes=1)
        finally:
            for each in names:
                each.disconnect(hear)
        assert heard == [
            ("enqueued", "READY"), ("started", "RUNNING"), ("finished", "SUCCESSFUL"),
            ("enqueued", "READY"), ("started", "RUNNING"), ("started", "RUNNING"), ("finished", "FAILED"),
        ]  # fmt: skip

    def test_what_is_unknown_has_no_result(self, tasks: Any) -> None:
        interface = import_module("distributed_queue.integrations.django.interface")
        with InlineWorker(tasks.app):
            of_another_kind = tasks.count.submit()
            for unknown in ("nonsense", of_another_kind.id):
                with pytest.raises(interface.TaskResultDoesNotExist):
                    tasks.send_mail.get_result(unknown)

    def test_unknown_options_are_refused_by_name(self, tasks: Any) -> None:
        backend = import_module("distributed_queue.integrations.django").DistributedQueueBackend
        improper = import_module("django.core.exceptions").ImproperlyConfigured
        with pytest.raises(improper, match="retries"):
            backend("other", {"OPTIONS": {"retries": 1}})


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
