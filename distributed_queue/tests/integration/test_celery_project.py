"""A project written for Celery runs here once its imports are changed."""

from __future__ import annotations

import importlib
import shutil
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from distributed_queue.core.worker import WorkerConfig
from distributed_queue.errors import ResultTimeout, TaskFailed
from distributed_queue.integrations.celery import AsyncResult, Celery, NotCarriedOver, known, shared_task
from distributed_queue.tests.steps import LIMIT, eventually
from distributed_queue.tests.surfaces.programs import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

PROJECT = Path(__file__).with_name("celery_project")
IMPORTS = {
    "from celery import": "from distributed_queue.integrations.celery import",
    "from celery.utils.log import": "from distributed_queue.integrations.celery import",
}


@pytest.fixture(autouse=True)
def no_other_applications() -> Iterator[None]:
    """What a process knows of applications and shared tasks begins empty."""
    before = known.applications[:], known.shared_tasks[:]
    known.applications[:], known.shared_tasks[:] = [], []
    yield
    known.applications[:], known.shared_tasks[:] = before


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project, with its imports changed."""
    shutil.copytree(PROJECT / "shop", tmp_path / "shop")
    for path in (tmp_path / "shop").glob("*.py"):
        text = path.read_text()
        for old, new in IMPORTS.items():
            text = text.replace(old, new)
        assert "from celery" not in text
        path.write_text(text)
    return tmp_path


@pytest.fixture
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The project's application, imported here, over a storage of its own."""
    monkeypatch.setenv("BROKER_URL", f"sqlite:///{folder}/shop.db")
    monkeypatch.syspath_prepend(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        monkeypatch.delitem(sys.modules, name)
    module = importlib.import_module("shop.celery_app")
    yield module
    module.app.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


@pytest.fixture
def tasks(shop: ModuleType) -> Iterator[Any]:
    """The project's tasks, with a worker that runs them."""
    worker = shop.app.app.worker(WorkerConfig(shutdown_timeout=1.0))
    worker.start()
    yield importlib.import_module("shop.tasks")
    worker.stop()


def test_delay_and_get(tasks: Any) -> None:
    result = tasks.add.delay(2, y=3)
    assert result.get(timeout=LIMIT) == 5
    assert (result.state, result.result, result.ready(), result.successful()) == ("SUCCESS", 5, True, True)
    assert tasks.add(2, 3) == tasks.add.apply((2, 3)).get() == 5
    assert AsyncResult(result.id).get() == 5


def test_retries_by_hand(tasks: Any) -> None:
    result = tasks.fetch.delay("http://example.org")
    assert result.get(timeout=LIMIT) == {"url": "http://example.org", "retries": 2, "id": result.id}


def test_retries_by_hand_end(tasks: Any) -> None:
    result = tasks.never.delay()
    with pytest.raises(TaskFailed, match="ValueError: no"):
        result.get(timeout=LIMIT)
    assert (result.state, result.failed()) == ("FAILURE", True)
    assert isinstance(result.result, TaskFailed)


def test_automatic_retries_of_some_errors_only(tasks: Any, shop: ModuleType) -> None:
    refused, failed = tasks.charge.delay(-1), tasks.charge.delay(100)
    ended = [shop.app.app.queue.wait(result.id, LIMIT) for result in (refused, failed)]
    assert [(task.error, task.retry_count) for task in ended] == [
        ("ValueError: negative", 1),
        ("TimeoutError: no answer from the bank", 3),
    ]


def test_time_limits_and_queues(tasks: Any, shop: ModuleType) -> None:
    result = tasks.hang.apply_async()
    task = shop.app.app.queue.wait(result.id, LIMIT)
    assert (task.queue, task.retry_count) == ("slow", 1)
    assert "TimeLimitExceeded" in (task.error or "")


def test_countdown_eta_expires_and_revoke(shop: ModuleType) -> None:
    later = shop.ping.apply_async(countdown=3600)
    at = shop.ping.apply_async(eta=datetime.now(timezone.utc) + timedelta(hours=1), priority=3, task_id="mine")
    expiring = shop.ping.apply_async(expires=60)
    queue = shop.app.app.queue
    assert [str(queue.get_task(each.id).status) for each in (later, at, expiring)] == ["scheduled"] * 2 + ["pending"]
    assert (at.id, queue.get_task("mine").priority) == ("mine", 3)
    assert queue.get_task(expiring.id).expires_at == pytest.approx(datetime.now(timezone.utc).timestamp() + 60, abs=10)
    later.revoke()
    assert later.state == "REVOKED"
    with pytest.raises(ResultTimeout):
        at.get(timeout=0.01)


def test_a_worker_program_runs_the_project(folder: Path, shop: ModuleType) -> None:
    result = shop.app.send_task("shop.tasks.add", (1, 2))
    with Program(folder, "worker", "shop.celery_app:app", BROKER_URL=shop.app.conf.broker_url) as program:
        program.says("handlers: shop.ping, shop.tasks.add")
        eventually(result.ready, LIMIT)
    assert result.get() == 3


def test_what_is_not_carried_over_says_what_to_write_instead(shop: ModuleType) -> None:
    uses: tuple[Any, ...] = (
        shop.ping.s,
        lambda: shop.ping.apply_async(link=[]),
        lambda: shop.app.task(rate_limit="10/m")(print),
        lambda: shop.app.send_task("elsewhere"),
    )
    for use in uses:
        with pytest.raises(NotCarriedOver):
            use()


def test_a_shared_task_needs_an_application() -> None:
    @shared_task
    def work() -> None: ...

    with pytest.raises(Exception, match="no Celery"):
        work.delay()
    app = Celery("late", broker="memory://")
    assert work.delay().state == "PENDING"
    app.close()
