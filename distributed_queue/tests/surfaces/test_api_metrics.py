"""Metrics: Prometheus can read them, they are true, and JSON says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from distributed_queue.core.clock import ManualClock
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.storage import ClaimRequest, Lease
from distributed_queue.observability.summary import Summary
from distributed_queue.testing.faulty import FaultyStorage
from distributed_queue.tests.steps import eventually, put, take
from distributed_queue.tests.surfaces.api_server import Api, serve, serve_with_workers

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {
    "distributedq_storage_up",
    "distributedq_build_info",
    "distributedq_tasks_enqueued_total",
    "distributedq_tasks_deduplicated_total",
    "distributedq_task_attempts_started_total",
    "distributedq_task_attempts_finished_total",
    "distributedq_tasks_finished_total",
    "distributedq_task_retries_total",
    "distributedq_task_wait_seconds_bucket",
    "distributedq_task_duration_seconds_bucket",
    "distributedq_queue_tasks",
    "distributedq_queue_oldest_ready_age_seconds",
    "distributedq_queue_paused",
    "distributedq_workers",
    "distributedq_worker_slots",
    "distributedq_worker_slots_busy",
    "distributedq_fenced_writes_total",
    "distributedq_leases_expired_total",
    "distributedq_lease_renewals_total",
    "distributedq_poison_tasks_total",
    "distributedq_load_shed_total",
    "distributedq_sse_clients",
    "distributedq_storage_operation_duration_seconds_bucket",
    "distributedq_http_request_duration_seconds_bucket",
}

# The library has no types for its parsers.
parse: Any = parse_text
parse_open: Any = parse_openmetrics


@pytest.fixture
def api() -> Iterator[Api]:
    with serve_with_workers() as served:
        yield served


class Scrape:
    """What one scrape gave."""

    def __init__(self, api: Api) -> None:
        response = api.client.get("/metrics")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/plain")
        self.samples = [sample for family in parse(response.text) for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        values = [
            sample.value
            for sample in self.samples
            if sample.name == f"distributedq_{name}" and labels.items() <= sample.labels.items()
        ]
        assert len(values) == 1, f"{name} {labels}: {values}"
        number: float = values[0]
        return number


def test_all_metrics_of_the_catalogue_are_there(api: Api) -> None:
    api.run({"type": "simple"})
    assert {sample.name for sample in Scrape(api).samples} >= NAMES


def test_what_became_due_while_there_was_no_worker_is_pending_and_grows_old(storage_url: str) -> None:
    with HybridQueue.from_url(storage_url) as queue, serve(queue) as api:
        put(queue, {"type": "x"}, delay=0.05)
        eventually(lambda: Scrape(api).value("queue_tasks", state="pending") == 1)
        eventually(lambda: Scrape(api).value("queue_oldest_ready_age_seconds") > 0)
        assert Scrape(api).value("queue_tasks", state="scheduled") == 0


def test_leases_that_were_extended_and_tasks_that_kill_their_workers(storage_url: str) -> None:
    clock = ManualClock()
    with HybridQueue.from_url(storage_url, clock=clock) as queue, serve(queue) as api:
        queue.configure("default", max_crashes=1)
        put(queue, {"type": "x"})
        (task,) = queue.storage.claim(ClaimRequest(("default",), "w", 1, 10.0)).tasks
        lease = Lease("default", task.id, task.attempt)
        queue.storage.extend([lease], 10.0)
        clock.advance(11)
        queue.storage.claim(ClaimRequest(("default",), "w", 1, 10.0))
        queue.storage.extend([lease], 10.0)
        found = Scrape(api)
        assert found.value("lease_renewals_total", outcome="ok") == 1
        assert found.value("lease_renewals_total", outcome="lost") == 1
        assert found.value("poison_tasks_total", task="x") == 1


def test_what_is_refused_for_now_is_counted_by_its_reason(storage_url: str) -> None:
    with HybridQueue.from_url(storage_url, max_size=1) as queue, serve(queue) as api:
        for _ in range(3):
            api.client.post("/tasks", json={"payload": {"type": "simple"}})
        assert Scrape(api).value("load_shed_total", reason="queue-full") == 2
        assert Scrape(api).value("load_shed_total", reason="overloaded") == 0


def test_open_event_streams_are_counted() -> None:
    with serve() as api:
        with api.client.stream("GET", "/events") as stream:
            assert stream.status_code == 200
            eventually(lambda: Scrape(api).value("sse_clients") == 1)
        eventually(lambda: Scrape(api).value("sse_clients") == 0)


def test_calls_of_the_storage_are_timed_by_verb_and_outcome() -> None:
    storage = FaultyStorage("memory://")
    with storage.queue() as queue, serve(queue) as api:
        api.client.post("/tasks", json={"payload": {"type": "simple"}})
        storage.fail("enqueue")
        api.client.post("/tasks", json={"payload": {"type": "simple"}})
        found = Scrape(api)
        count = "storage_operation_duration_seconds_count"
        assert found.value(count, operation="enqueue", outcome="ok") == 1
        assert found.value(count, operation="enqueue", outcome="error") == 1
        assert found.value(count, operation="stats", outcome="ok") >= 1


def test_metrics_count_what_happened(api: Api) -> None:
    for number in range(3):
        api.run({"type": "simple", "data": number})
    api.client.post("/tasks", json={"payload": {"type": "simple"}, "task_id": "one"})
    api.queue.put(api.queue.get_task("one"))  # type: ignore[arg-type]  # it is there
    api.run({"type": "boom"}, max_retries=1)
    api.submit("x", queue="later", delay=1000)
    scrape = Scrape(api)
    simple = {"queue": "default", "task": "simple"}
    boom = {"queue": "default", "task": "boom"}
    assert scrape.value("tasks_enqueued_total", **simple) == 4
    assert scrape.value("tasks_deduplicated_total", **simple) == 1
    assert scrape.value("tasks_finished_total", outcome="dead", **boom) == 1
    assert scrape.value("task_attempts_finished_total", outcome="failed", **boom) == 2
    assert scrape.value("task_retries_total", **boom) == 1
    assert scrape.value("task_attempts_started_total", **boom) == 2
    assert scrape.value("task_duration_seconds_count", **boom) == 2
    assert scrape.value("queue_tasks", queue="later", state="scheduled") == 1
    assert scrape.value("queue_tasks", queue="default", state="dead") == 1
    assert scrape.value("workers", state="running") == 1
    assert scrape.value("worker_slots") == 4
    assert scrape.value("storage_up", backend="memory") == 1


def test_a_server_counts_what_other_programs_do() -> None:
    with serve() as api:
        put(api.queue, {"type": "elsewhere"})
        task = take(api.queue)
        api.queue.mark_completed(task.task_id)
        scrape = Scrape(api)
        assert scrape.value("tasks_finished_total", task="elsewhere", outcome="succeeded") == 1
        assert scrape.value("task_wait_seconds_count", task="elsewhere") == 1
        assert scrape.value("task_wait_seconds_bucket", task="elsewhere", le="+Inf") == 1


def test_a_pause_is_shown(api: Api) -> None:
    assert Scrape(api).value("queue_paused", queue="default") == 0
    api.post("/queues/default/pause")
    assert Scrape(api).value("queue_paused", queue="default") == 1


def test_requests_are_counted_by_route_and_not_by_address(api: Api) -> None:
    for number in range(3):
        api.client.get(f"/tasks/no-such-task-{number}")
    api.client.get("/nothing/at/all")
    api.client.head("/health")
    api.submit("x")
    scrape = Scrape(api)
    name = "http_request_duration_seconds_count"
    assert scrape.value(name, method="GET", route="/api/v1/tasks/{task_id}", status="404") == 3
    assert scrape.value(name, method="GET", route="other", status="404") == 1
    assert scrape.value(name, method="HEAD", route="/api/v1/health", status="200") == 1
    assert scrape.value(name, method="POST", route="/api/v1/tasks", status="201") == 1


def test_a_type_may_have_any_name(api: Api) -> None:
    odd = 'a "quoted" \\ name|with\nlines'
    api.submit({"type": odd})
    assert Scrape(api).value("tasks_enqueued_total", task=odd) == 1


def test_openmetrics_is_given_to_who_asks_for_it(api: Api) -> None:
    api.run({"type": "simple"})
    response = api.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert "distributedq_tasks_enqueued" in {family.name for family in parse_open(response.text)}


def test_metrics_say_when_the_storage_is_away(api: Api) -> None:
    api.queue.close()
    assert Scrape(api).value("storage_up") == 0
    assert api.get("/metrics/json")["storage"]["up"] is False


def test_two_applications_do_not_share_metrics() -> None:
    with serve() as first, serve() as second:
        first.submit({"type": "mine"})
        assert "mine" in first.client.get("/metrics").text
        assert "mine" not in second.client.get("/metrics").text


def test_json_tells_totals(api: Api) -> None:
    api.run({"type": "simple"})
    api.run({"type": "boom"}, max_retries=0)
    document = api.get("/metrics/json")
    every = document["all"]["totals"]
    assert (every["enqueued"], every["finished_completed"], every["finished_dead"]) == (2, 1, 1)
    types = document["queues"]["default"]["types"]
    assert types["simple"]["totals"]["attempts_succeeded"] == 1
    assert types["boom"]["totals"]["attempts_failed"] == 1
    assert document["workers"] == {"count": 1, "slots": 4, "slots_busy": 0}
    assert document["queues"]["default"]["tasks"]["completed"] == 1
    assert any(request["route"] == "/api/v1/tasks" for request in document["requests"])


def test_rates_and_percentiles_are_over_the_last_minute() -> None:
    now = 1000.0
    with HybridQueue() as queue:
        summary = Summary(queue, monotonic=lambda: now)
        put(queue, {"type": "early"})
        first: Any = summary.document()
        assert first["all"]["rates"]["enqueued_per_second"] is None
        for _ in range(20):
            put(queue, {"type": "mail"})
            queue.mark_completed(take(queue).task_id)
        now += 10
        second: Any = summary.document()
        assert second["window_seconds"] == 10
        assert second["all"]["rates"]["enqueued_per_second"] == 2
        assert second["queues"]["default"]["types"]["mail"]["rates"]["completed_per_second"] == 1.9
        assert second["all"]["wait_seconds"]["count"] == 20
        assert 0 <= second["all"]["wait_seconds"]["p50"] <= second["all"]["wait_seconds"]["p99"]
        now += 120
        third: Any = summary.document()
        assert third["all"]["rates"]["enqueued_per_second"] == 0
        assert third["all"]["wait_seconds"]["p99"] is None
        assert third["all"]["totals"]["enqueued"] == 21
