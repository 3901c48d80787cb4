"""The registry of live workers, and the commands that are left for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from distributed_queue.core.storage import WORKER_TTL_SECONDS, Command, TaskStack, WorkerInfo
from distributed_queue.testing.builders import worker_info
from distributed_queue.testing.steps import enqueue

if TYPE_CHECKING:
    from distributed_queue.core.clock import ManualClock
    from distributed_queue.core.storage import Storage

STOP = Command(action="stop")
COMMANDS = [
    Command(action="pause"),
    Command(action="resume"),
    STOP,
    Command(action="scale", max_workers=7),
    Command(action="cancel", queue="q", task_id="t1"),
    Command(action="inspect"),
]


class TestWorkers:
    """``beat`` and ``workers``."""

    def test_nobody_works_at_first(self, storage: Storage) -> None:
        assert storage.workers() == []

    def test_a_worker_that_beats_is_listed_as_it_reports_itself(self, storage: Storage, clock: ManualClock) -> None:
        reported = WorkerInfo(
            id="w1",
            name="mailer ✉",
            host="host",
            pid=4242,
            queues=("a", "b"),
            max_workers=8,
            active_tasks=3,
            paused=True,
            state="draining",
            processed=1000,
            failed=7,
            stuck=2,
            started_at=clock.now() - 60.5,
            beat_at=1.0,
            claimed_at=clock.now() - 0.25,
            version="1.2.3",
            memory_bytes=64 << 20,
            cpu_share=0.75,
            inspections=3,
            stacks=(
                TaskStack(queue="q", task_id="t1", attempt=2, seconds=1.5, frames=("app/mail ✉.py:7 in send",)),
                TaskStack(queue="q", task_id="t2", attempt=1, seconds=9.0, limit_seconds=60.0, stuck=True, note="none"),
            ),
        )
        storage.beat(reported)
        assert storage.workers() == [msgspec.structs.replace(reported, beat_at=clock.now())]

    def test_the_storage_says_when_it_beat(self, storage: Storage, clock: ManualClock) -> None:
        storage.beat(worker_info())
        clock.advance(5)
        storage.beat(worker_info())
        assert [worker.beat_at for worker in storage.workers()] == [clock.now()]

    def test_each_beat_replaces_the_report_before(self, storage: Storage) -> None:
        storage.beat(worker_info(pid=1))
        storage.beat(worker_info(pid=2))
        assert [worker.pid for worker in storage.workers()] == [2]

    def test_workers_come_by_name_then_id(self, storage: Storage) -> None:
        for worker_id, name in (("3", "b"), ("2", "a"), ("1", "b"), ("4", "B")):
            storage.beat(worker_info(worker_id, name))
        assert [(worker.name, worker.id) for worker in storage.workers()] == [
            ("B", "4"),
            ("a", "2"),
            ("b", "1"),
            ("b", "3"),
        ]

    def test_a_worker_that_went_silent_is_no_longer_listed(self, storage: Storage, clock: ManualClock) -> None:
        storage.beat(worker_info("w1"))
        clock.advance(WORKER_TTL_SECONDS - 0.001)
        storage.beat(worker_info("w2"))
        assert [worker.id for worker in storage.workers()] == ["w1", "w2"]
        clock.advance(0.001)
        assert [worker.id for worker in storage.workers()] == ["w2"]

    def test_a_silent_worker_that_beats_again_is_listed_again(self, storage: Storage, clock: ManualClock) -> None:
        storage.beat(worker_info())
        clock.advance(2 * WORKER_TTL_SECONDS)
        assert storage.workers() == []
        storage.beat(worker_info())
        assert len(storage.workers()) == 1

    def test_a_stopped_worker_is_no_longer_listed(self, storage: Storage) -> None:
        storage.beat(worker_info(state="running"))
        storage.beat(worker_info(state="stopped"))
        assert storage.workers() == []

    def test_every_client_sees_every_worker(self, storage: Storage, second_storage: Storage) -> None:
        storage.beat(worker_info("w1"))
        second_storage.beat(worker_info("w2"))
        assert storage.workers() == second_storage.workers()
        assert len(storage.workers()) == 2

    def test_the_answer_names_all_queues(self, storage: Storage) -> None:
        assert storage.beat(worker_info()).queues == ()
        enqueue(storage, "t1", queue="b")
        storage.configure("a", {})
        assert storage.beat(worker_info()).queues == ("a", "b")


class TestCommands:
    """``command``, answered by ``beat``."""

    @pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.action))
    def test_a_command_comes_with_the_next_beat_as_it_was_left(self, storage: Storage, command: Command) -> None:
        storage.beat(worker_info())
        storage.command("w1", command)
        assert storage.beat(worker_info()).commands == [command]

    def test_a_command_comes_once(self, storage: Storage) -> None:
        storage.command("w1", STOP)
        assert storage.beat(worker_info()).commands == [STOP]
        assert storage.beat(worker_info()).commands == []

    def test_commands_come_in_the_order_left(self, storage: Storage) -> None:
        for command in COMMANDS:
            storage.command("w1", command)
        assert storage.beat(worker_info()).commands == COMMANDS

    def test_a_command_comes_to_its_worker_only(self, storage: Storage) -> None:
        storage.command("w1", STOP)
        assert storage.beat(worker_info("w2")).commands == []
        assert storage.beat(worker_info("w1")).commands == [STOP]

    def test_a_command_may_be_left_by_another_client(self, storage: Storage, second_storage: Storage) -> None:
        second_storage.command("w1", STOP)
        assert storage.beat(worker_info()).commands == [STOP]

    def test_a_command_that_waited_too_long_is_dropped(self, storage: Storage, clock: ManualClock) -> None:
        storage.command("w1", STOP)
        clock.advance(WORKER_TTL_SECONDS)
        storage.command("w1", Command(action="pause"))
        assert storage.beat(worker_info()).commands == [Command(action="pause")]

    def test_a_command_waits_until_then(self, storage: Storage, clock: ManualClock) -> None:
        storage.command("w1", STOP)
        clock.advance(WORKER_TTL_SECONDS - 0.001)
        assert storage.beat(worker_info()).commands == [STOP]
