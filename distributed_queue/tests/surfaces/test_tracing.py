"""Traces and measurements of what an application does, as OpenTelemetry's SDK records them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler
from opentelemetry.trace import SpanKind, StatusCode

from distributed_queue import DistributedQ, Middleware, Snooze
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.retry import Retry
from distributed_queue.core.worker import WorkerConfig
from distributed_queue.errors import QueueFull
from distributed_queue.observability.sampling import LinkBased
from distributed_queue.observability.tracing import Tracing
from distributed_queue.tests.steps import AT_ONCE, LIMIT, eventually, put
from distributed_queue.tests.surfaces.api_server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"


class Recorded:
    """What the SDK was told."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.provider = TracerProvider(sampler)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meters = MeterProvider([self._reader])

    def tracing(self, **options: Any) -> Tracing:
        return Tracing(tracer_provider=self.provider, meter_provider=self.meters, **options)

    def spans(self, name: str, count: int = 1) -> list[ReadableSpan]:
        """The spans of this name, as soon as there are so many."""
        eventually(lambda: len(self._named(name)) >= count)
        found = self._named(name)
        assert len(found) == count, found
        return found

    def measured(self, name: str) -> list[Any]:
        """The points of a metric."""
        data: Any = self._reader.get_metrics_data()
        metrics = [each for part in data.resource_metrics for scope in part.scope_metrics for each in scope.metrics]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]

    def names(self) -> set[str]:
        """Of all spans so far."""
        return {span.name for span in self._exporter.get_finished_spans()}

    def close(self) -> None:
        self.provider.shutdown()
        self.meters.shutdown()

    def _named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    recorded = Recorded()
    yield recorded
    recorded.close()


class Run:
    """A run of one task that came with headers, and of a function that makes a span of its own."""

    def __init__(self, recorded: Recorded, headers: dict[str, str] | None, **options: Any) -> None:
        self.trace = self.tenant = ""
        tracer = recorded.provider.get_tracer("test")
        with DistributedQ("memory://", middleware=[recorded.tracing(**options)]) as app:

            @app.task
            def send() -> None:
                self.trace = f"{trace.get_current_span().get_span_context().trace_id:032x}"
                self.tenant = str(baggage.get_baggage("tenant"))
                tracer.start_span("inside").end()

            task = put(app.queue, {"type": "send", "data": {}}, headers=headers)
            worker = app.worker()
            worker.start()
            app.queue.wait(task.task_id, LIMIT)
            worker.stop()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return {name.removeprefix("messaging."): value for name, value in (span.attributes or {}).items()}


def linked(span: ReadableSpan) -> list[Any]:
    return [link.context.span_id for link in span.links]


def identity(span: ReadableSpan) -> Any:
    assert span.context is not None
    return span.context.span_id


def trace_of(span: ReadableSpan) -> Any:
    assert span.context is not None
    return span.context.trace_id


def test_each_step_of_a_task_is_a_span_with_links(recorded: Recorded, storage_url: str) -> None:
    with DistributedQ(storage_url, middleware=[recorded.tracing()]) as app:

        @app.task(queue="mail")
        def send(to: str) -> str:
            return to

        worker = app.worker(WorkerConfig(name="w"))
        worker.start()
        handle = send.submit("ada")
        handle.result(LIMIT)
        worker.stop()
        (enqueue,) = recorded.spans("enqueue mail")
        (claim,) = recorded.spans("claim mail")
        (process,) = recorded.spans("process mail")
        (settle,) = recorded.spans("settle mail")
        assert [span.kind for span in (enqueue, claim, process, settle)] == [
            SpanKind.PRODUCER, SpanKind.CLIENT, SpanKind.CONSUMER, SpanKind.CLIENT,
        ]  # fmt: skip
        assert linked(process) == linked(claim) == [identity(enqueue)]
        assert linked(settle) == [identity(process)]
        assert process.parent is None
        assert trace_of(process) != trace_of(enqueue)
        common = {"system": "distributedq", "destination.name": "mail"}
        assert attributes(process) == common | {
            "operation.name": "process",
            "operation.type": "process",
            "message.id": handle.id,
            "distributedq.task.type": "send",
            "distributedq.task.attempt": 1,
            "distributedq.task.priority": 100,
        }
        types = [attributes(span)["operation.type"] for span in (enqueue, claim, settle)]
        assert types == ["send", "receive", "settle"]
        assert attributes(settle)["batch.message_count"] == 1
        times = [claim.start_time, claim.end_time, settle.start_time, settle.end_time]
        assert times == sorted(times)  # type: ignore[type-var]  # they have ended


async def test_coroutines_are_traced_too(recorded: Recorded) -> None:
    async with DistributedQ("memory://", middleware=[recorded.tracing()]) as app:

        @app.task
        async def send(to: str) -> str:
            return to

        worker = app.worker()
        worker.start()
        tracer = recorded.provider.get_tracer("test")
        with tracer.start_as_current_span("outer") as outer:
            handle = await send.asubmit("ada")
        await handle.aresult(LIMIT)
        worker.stop()
        (enqueue,) = recorded.spans("enqueue default")
        (process,) = recorded.spans("process default")
        assert enqueue.parent == outer.get_span_context()
        assert linked(process) == [identity(enqueue)]


def test_a_run_may_be_a_child_of_its_submission(recorded: Recorded) -> None:
    with DistributedQ("memory://", middleware=[recorded.tracing(as_child=True)]) as app:

        @app.task
        def send() -> None: ...

        worker = app.worker()
        worker.start()
        send.submit().result(LIMIT)
        worker.stop()
        (enqueue,), (process,) = recorded.spans("enqueue default"), recorded.spans("process default")
        assert trace_of(process) == trace_of(enqueue)
        assert process.parent is not None
        assert process.parent.span_id == identity(enqueue)


def test_a_batch_is_one_span_that_all_of_its_runs_link_to(recorded: Recorded) -> None:
    with DistributedQ("memory://", middleware=[recorded.tracing()]) as app:

        @app.task
        def send(number: int) -> int:
            return number

        handles = send.submit_many([(1,), (2,), (3,)])
        worker = app.worker()
        worker.start()
        for handle in handles:
            handle.result(LIMIT)
        worker.stop()
        (enqueue,) = recorded.spans("enqueue default")
        assert attributes(enqueue)["batch.message_count"] == 3
        assert {tuple(linked(span)) for span in recorded.spans("process default", 3)} == {(identity(enqueue),)}
        (sent,) = recorded.measured("messaging.client.sent.messages")
        (consumed,) = recorded.measured("messaging.client.consumed.messages")
        (run,) = recorded.measured("messaging.process.duration")
        assert (sent.value, consumed.value, run.count) == (3, 3, 3)


def test_what_a_function_raises_is_on_its_span_and_what_it_only_says_is_no_error(recorded: Recorded) -> None:
    with DistributedQ("memory://", middleware=[recorded.tracing()]) as app:
        calls: list[int] = []

        @app.task(retry=Retry(policy=AT_ONCE))
        def send() -> None:
            calls.append(1)
            if len(calls) == 1:
                raise ValueError("no")
            if len(calls) == 2:
                raise Snooze(0.0)

        worker = app.worker()
        worker.start()
        send.submit().result(LIMIT)
        worker.stop()
        failed, snoozed, done = recorded.spans("process default", 3)
        assert (failed.status.status_code, attributes(failed)["error.type"]) == (StatusCode.ERROR, "ValueError")
        assert [event.name for event in failed.events] == ["exception"]
        assert snoozed.status.status_code is done.status.status_code is StatusCode.UNSET
        assert attributes(snoozed)["distributedq.verdict"] == "Snooze"
        assert len({span.links[0].context.span_id for span in (failed, snoozed, done)}) == 1


def test_a_submission_that_is_refused_says_so(recorded: Recorded) -> None:
    with DistributedQ("memory://", middleware=[recorded.tracing()], max_size=0) as app:

        @app.task
        def send() -> None: ...

        with pytest.raises(QueueFull):
            send.submit()
        (enqueue,) = recorded.spans("enqueue default")
        assert attributes(enqueue)["error.type"] == "QueueFull"


def test_baggage_goes_along(recorded: Recorded) -> None:
    with DistributedQ("memory://", middleware=[recorded.tracing()]) as app:

        @app.task
        def tenant() -> str:
            return str(baggage.get_baggage("tenant"))

        worker = app.worker()
        worker.start()
        token = context.attach(baggage.set_baggage("tenant", "acme"))
        handle = tenant.submit()
        context.detach(token)
        assert handle.result(LIMIT) == "acme"
        worker.stop()


def test_without_an_sdk_nothing_is_added_to_a_task() -> None:
    with DistributedQ("memory://", middleware=[Tracing()]) as app:

        @app.task
        def send() -> str:
            return "sent"

        worker = app.worker()
        worker.start()
        handle = send.submit()
        assert handle.result(LIMIT) == "sent"
        worker.stop()
        stored = handle.task()
        assert stored is not None
        assert stored.headers is None


def test_the_trace_of_a_request_goes_on_where_the_task_runs(recorded: Recorded) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with HybridQueue() as queue, DistributedQ("memory://", middleware=[recorded.tracing()]) as app, serve(queue) as api:
        app.use(queue)

        @app.task
        def send() -> None: ...

        worker = app.worker()
        worker.start()
        body = {"payload": {"type": "send", "data": {}}}
        for path, document in (
            ("/tasks", body),
            ("/tasks", {**body, "task_id": "t"}),
            ("/tasks/batch", {"tasks": [body]}),
        ):
            answer = api.client.post(path, json=document, headers={"traceparent": parent, "tracestate": "a=1"})
            assert answer.status_code == 201
        for span in recorded.spans("process default", 3):
            assert [link.context.trace_id for link in span.links] == [0x0AF7651916CD43DD8448EB211C80319C]
            assert [link.context.trace_state for link in span.links] == [{"a": "1"}]
        worker.stop()


@pytest.mark.parametrize("as_child", [False, True])
@pytest.mark.parametrize("more", [{}, {"tracestate": "a=1"}, {"baggage": "tenant=acme"}])
def test_nothing_of_a_task_is_sampled_whose_submission_was_not(
    recorded: Recorded, more: dict[str, str], *, as_child: bool
) -> None:
    run = Run(recorded, {"traceparent": UNSAMPLED, **more}, as_child=as_child)
    assert {"process default", "inside"}.isdisjoint(recorded.names())
    assert run.trace == TRACE
    assert run.tenant == ("acme" if more.get("baggage") else "None")
    for name in ("claim default", "settle default"):
        assert linked(recorded.spans(name)[0]) == []
    (measured,) = recorded.measured("messaging.process.duration")
    assert measured.count == 1


def test_a_sampled_submission_is_linked_to_by_the_claim_and_the_run(recorded: Recorded) -> None:
    Run(recorded, {"traceparent": SAMPLED})
    (process,), (claim,) = recorded.spans("process default"), recorded.spans("claim default")
    (inside,), (settle,) = recorded.spans("inside"), recorded.spans("settle default")
    assert linked(process) == linked(claim) == [0xB7AD6B7169203331]
    assert linked(settle) == [identity(process)]
    assert trace_of(inside) == trace_of(process)


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {"baggage": "tenant=acme"},
        {"traceparent": "nonsense"},
        {"traceparent": UNSAMPLED[:-1]},
        {"traceparent": f"{UNSAMPLED}-more"},
        {"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-00"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-00"},
    ],
)
def test_where_no_submission_has_decided_the_sampler_does(headers: dict[str, str] | None, recorded: Recorded) -> None:
    Run(recorded, headers)
    assert linked(recorded.spans("process default")[0]) == []
    recorded.spans("inside")
    never = Recorded(ALWAYS_OFF)
    Run(never, headers)
    assert never.names() == set()
    never.close()


def test_headers_that_the_propagators_do_not_read_decide_nothing(recorded: Recorded) -> None:
    usual = propagate.get_global_textmap()
    propagate.set_global_textmap(CompositePropagator([]))
    try:
        Run(recorded, {"traceparent": UNSAMPLED})
    finally:
        propagate.set_global_textmap(usual)
    assert {"process default", "inside"} <= recorded.names()


@pytest.mark.parametrize(("header", "sampled"), [(SAMPLED, True), (UNSAMPLED, False), ("nonsense", False)])
def test_a_sampler_that_goes_by_links_keeps_the_runs_of_what_was_sampled(header: str, *, sampled: bool) -> None:
    recorded = Recorded(ParentBased(LinkBased(ALWAYS_OFF)))
    Run(recorded, {"traceparent": header})
    assert recorded.names() == ({"process default", "inside"} if sampled else set())
    recorded.close()


@pytest.mark.parametrize("header", ["", "nonsense", "00-0-0-00", "x" * 10_000])
def test_a_trace_that_cannot_be_read_does_not_stop_a_submission(header: str) -> None:
    with serve() as api:
        answer = api.client.post("/tasks", json={"payload": 1}, headers={"traceparent": header})
        assert answer.status_code == 201
        stored = api.queue.get_task(answer.json()["task_id"])
        assert stored is not None
        assert stored.headers is None


def test_an_exchange_listener_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Middleware):
        def after_exchange(self, settlements: Any, answer: Any, seconds: float) -> None:
            raise ValueError("not today")

    with DistributedQ("memory://", middleware=[Failing()]) as app:

        @app.task
        def send() -> str:
            return "sent"

        worker = app.worker()
        worker.start()
        assert send.submit().result(LIMIT) == "sent"
        worker.stop()
    assert "a listener to the worker's exchanges failed" in caplog.text
