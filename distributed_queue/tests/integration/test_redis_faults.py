"""What goes wrong with a Redis server, in words, and what holds all the same."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import redis

from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import LeaseState
from distributed_queue.errors import (
    InvalidStorageURL,
    QueueClosed,
    QueueFull,
    StorageFull,
    StorageIncompatible,
    StorageUnavailable,
)
from distributed_queue.storage.redis import RedisStorage
from distributed_queue.testing.builders import Q, complete, lease_of, new_task, request, worker_info
from distributed_queue.testing.servers import RedisServer, free_port
from distributed_queue.testing.steps import claim, claim_ids, enqueue, events, stats, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 20.0
SECRET = "open-sesame"

FORK = """
import os, sys
from distributed_queue.core.storage import ClaimRequest, NewTask
from distributed_queue.storage.redis import RedisStorage
storage = RedisStorage.from_url(sys.argv[1])
storage.enqueue([NewTask("before", "q", "t", 1, b"x")])
storage.wait(("q",), 0.01)
child = os.fork()
mine = "child" if child == 0 else "parent"
for number in range(200):
    assert storage.enqueue([NewTask(f"{mine}-{number}", "q", "t", 1, mine.encode())]) == [True]
    assert storage.get([f"{mine}-{number}"], "q")[0].body == mine.encode()
    assert storage.wait(("q",), 0.01) == ("q",)
if child == 0:
    os._exit(0)
_, status = os.waitpid(child, 0)
storage.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test's own, which keeps what it acknowledged."""
    with RedisServer(tmp_path, appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def storage(server: RedisServer) -> Iterator[RedisStorage]:
    storage = RedisStorage.from_url(server.url)
    yield storage
    storage.close()


@pytest.fixture
def admin(server: RedisServer) -> Iterator[Any]:
    """An operator's client."""
    with redis.Redis(port=server.port) as client:
        yield client


class TestOpening:
    """A server that cannot be used is an error that says why."""

    def test_a_dead_server_is_named_within_five_seconds(self) -> None:
        port = free_port()
        started = time.monotonic()
        with pytest.raises(StorageUnavailable, match=f"127.0.0.1:{port}.*refused") as caught:
            RedisStorage.from_url(f"redis://:{SECRET}@127.0.0.1:{port}/0")
        assert time.monotonic() - started < 15
        assert SECRET not in str(caught.value)

    @pytest.mark.parametrize("userinfo", [":wrong-password@", "someone:wrong-password@", ""])
    def test_a_wrong_password_is_refused_and_not_shown(self, server: RedisServer, admin: Any, userinfo: str) -> None:
        admin.config_set("requirepass", SECRET)
        url = server.url.replace("redis://", f"redis://{userinfo}")
        with pytest.raises(StorageIncompatible, match="password") as caught:
            RedisStorage.from_url(url)
        assert "wrong-password" not in str(caught.value)

    def test_the_right_password_is_taken_and_not_shown(self, server: RedisServer, admin: Any) -> None:
        admin.config_set("requirepass", SECRET)
        storage = RedisStorage.from_url(server.url.replace("redis://", f"redis://:{SECRET}@"))
        assert enqueue(storage, "t1") == [True]
        assert SECRET not in storage.url
        assert SECRET not in storage.health().url
        storage.close()

    @pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
    def test_a_server_that_would_drop_tasks_is_refused(self, server: RedisServer, admin: Any, policy: str) -> None:
        admin.config_set("maxmemory-policy", policy)
        with pytest.raises(StorageIncompatible, match=f"{policy}.*noeviction"):
            RedisStorage.from_url(server.url)

    def test_a_replica_is_refused(self, server: RedisServer, admin: Any) -> None:
        admin.replicaof("127.0.0.1", free_port())
        with pytest.raises(StorageUnavailable, match="replica"):
            RedisStorage.from_url(server.url)

    def test_a_queue_of_a_newer_layout_is_refused_by_name(self, storage: RedisStorage, admin: Any) -> None:
        enqueue(storage, "t1")
        admin.hset(f"dq:{{{Q}}}:meta", "layout", 2)
        with pytest.raises(StorageIncompatible, match="layout 2"):
            enqueue(storage, "t2")

    @pytest.mark.parametrize(
        "url",
        [
            "redis://localhost:port/0",
            "redis://localhost/zero",
            "redis://localhost/0?colour=red",
            f"redis://localhost/0?password={SECRET}",
            "redis://localhost/0?socket_timeout=soon",
        ],
    )
    def test_a_malformed_url_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidStorageURL):
            RedisStorage.from_url(url)

    def test_a_user_who_may_do_no_more_than_needed_can_work(self, server: RedisServer, admin: Any) -> None:
        admin.execute_command(
            "ACL", "SETUSER", "worker", "on", f">{SECRET}", "~dq:*", "+@all", "-@admin", "-@dangerous"
        )
        storage = RedisStorage.from_url(server.url.replace("redis://", f"redis://worker:{SECRET}@"))
        enqueue(storage, "t1")
        assert claim_ids(storage) == ["t1"]
        assert storage.wait([Q], 0.01) == ()
        storage.close()

    def test_a_user_who_may_not_is_told_what_to_grant(self, server: RedisServer, admin: Any) -> None:
        admin.execute_command("ACL", "SETUSER", "reader", "on", f">{SECRET}", "~*", "+@read", "+info")
        storage = RedisStorage.from_url(server.url.replace("redis://", f"redis://reader:{SECRET}@"))
        with pytest.raises(StorageIncompatible, match="Grant"):
            enqueue(storage, "t1")
        storage.close()


class TestRunning:
    """Trouble while a client is at work."""

    def test_scripts_that_the_server_forgot_are_taught_again(self, storage: RedisStorage, admin: Any) -> None:
        enqueue(storage, "t1", "t2")
        admin.script_flush()
        assert enqueue(storage, "t3") == [True]
        admin.script_flush()
        (task, *_) = claim(storage, limit=2)
        admin.script_flush()
        assert storage.settle([complete(task)]) == [True]
        assert stats(storage).counts[TaskStatus.COMPLETED] == 1

    @pytest.mark.parametrize("kill", [True, False])
    def test_a_restart_between_two_calls_goes_unnoticed(
        self, storage: RedisStorage, server: RedisServer, kill: bool
    ) -> None:
        enqueue(storage, "t1", "t2")
        (task,) = claim(storage, limit=1)
        server.restart(kill=kill)
        assert storage.settle([complete(task)]) == [True]
        assert claim_ids(storage) == ["t2"]
        assert [entry.position for entry in storage.journal(Q, 0, 10)] == [1, 2, 3, 4]

    def test_a_call_waits_for_a_server_that_is_back_shortly(self, storage: RedisStorage, server: RedisServer) -> None:
        server.stop()
        restart = threading.Timer(0.3, server.start)
        restart.start()
        assert enqueue(storage, "t1") == [True]
        restart.join()

    def test_a_server_that_stays_away_is_an_error_within_five_seconds(
        self, storage: RedisStorage, server: RedisServer
    ) -> None:
        server.kill()
        started = time.monotonic()
        with pytest.raises(StorageUnavailable, match=str(server.port)):
            enqueue(storage, "t1")
        assert time.monotonic() - started < 15
        server.start()
        assert enqueue(storage, "t1") == [True]

    def test_waits_survive_a_restart(self, storage: RedisStorage, server: RedisServer) -> None:
        storage.configure(Q, {})
        with ThreadPoolExecutor() as threads:
            work = threads.submit(storage.wait, [Q], LIMIT)
            news = threads.submit(storage.journal, Q, 0, 10, LIMIT)
            time.sleep(0.1)  # so that most runs find them blocked; either way they have to see the arrival
            server.restart(kill=True)
            enqueue(storage, "t1")
            assert work.result(LIMIT) == (Q,)
            assert len(news.result(LIMIT)) == 1

    def test_a_primary_that_was_demoted_is_an_error_until_it_is_promoted(
        self, storage: RedisStorage, admin: Any
    ) -> None:
        enqueue(storage, "t1")
        admin.replicaof("127.0.0.1", free_port())
        with pytest.raises(StorageUnavailable, match="replica"):
            enqueue(storage, "t2")
        admin.replicaof("NO", "ONE")
        assert enqueue(storage, "t2") == [True]

    def test_a_full_server_takes_no_tasks_but_lets_its_work_be_done(self, storage: RedisStorage, admin: Any) -> None:
        enqueue(storage, *(f"t{number}" for number in range(100)))
        admin.config_set("maxmemory", 1)
        with pytest.raises(StorageFull, match="no room"):
            enqueue(storage, "one more")
        tasks = claim(storage, limit=50)
        assert len(tasks) == 50
        assert storage.settle([complete(task, b"r") for task in tasks[1:]]) == [True] * 49
        assert storage.extend([lease_of(tasks[0])], 60) == [LeaseState.HELD]
        storage.beat(worker_info())
        assert storage.delete(Q, ["t99"]) == [True]
        assert storage.cancel(Q, ["t98"]) == [stored(storage, "t98")]
        assert storage.get(["one more"], Q) == [None]
        assert storage.clear(Q) == 99
        admin.config_set("maxmemory", 0)
        assert enqueue(storage, "one more") == [True]

    def test_a_queue_is_listed_again_by_a_server_that_lost_its_data(self, tmp_path: Path) -> None:
        with RedisServer(tmp_path / "forgetful") as server:
            storage = RedisStorage.from_url(server.url)
            enqueue(storage, "t1")
            server.restart(kill=True)
            assert storage.queues() == ()
            enqueue(storage, "t1")
            assert storage.queues() == (Q,)
            storage.close()

    def test_a_forked_child_has_connections_of_its_own(self, server: RedisServer) -> None:
        subprocess.run([sys.executable, "-c", FORK, server.url], check=True, timeout=60)

    def test_closing_ends_what_is_under_way_in_other_threads(self, storage: RedisStorage) -> None:
        storage.configure(Q, {})
        with ThreadPoolExecutor() as threads:
            work = threads.submit(storage.wait, [Q], LIMIT)
            news = threads.submit(storage.journal, Q, 0, 10, LIMIT)
            time.sleep(0.1)  # as above
            storage.close()
            assert isinstance(work.exception(LIMIT), QueueClosed)
            assert isinstance(news.exception(LIMIT), QueueClosed)


class TestLargeBatches:
    """Ten thousand tasks: all, or none."""

    IDS = tuple(f"t{number:05}" for number in range(10_000))

    @pytest.mark.parametrize("room", [9_999, 1])
    def test_a_batch_that_does_not_fit_stores_nothing(self, storage: RedisStorage, admin: Any, room: int) -> None:
        storage.configure(Q, {"max_size": room + 5})
        enqueue(storage, *"abcde")
        before = admin.dbsize()
        with pytest.raises(QueueFull) as caught:
            enqueue(storage, *self.IDS)
        assert (caught.value.depth, caught.value.limit) == (5, room + 5)
        assert stats(storage).depth == 5
        assert admin.dbsize() == before
        assert len(events(storage)) == 6

    def test_nor_does_one_for_several_queues_of_which_one_is_full(self, storage: RedisStorage) -> None:
        storage.configure("small", {"max_size": 10})
        tasks = [new_task(task_id, queue="large") for task_id in self.IDS]
        tasks += [new_task(task_id, queue="small") for task_id in self.IDS[:11]]
        with pytest.raises(QueueFull) as caught:
            storage.enqueue(tasks)
        assert caught.value.queue == "small"
        assert [figures.depth for figures in storage.stats(["large", "small"])] == [0, 0]

    def test_known_tasks_need_no_room(self, storage: RedisStorage) -> None:
        storage.configure(Q, {"max_size": 10_000})
        assert enqueue(storage, *self.IDS) == [True] * 10_000
        assert enqueue(storage, *self.IDS) == [False] * 10_000
        assert len(storage.claim(request(limit=20_000)).tasks) == 10_000
