"""Traces and metrics with OpenTelemetry: who submitted a task, when it was claimed, how it ran, when it was settled.

``Tracing`` is a middleware. It needs the API of OpenTelemetry; where the program sets up no SDK, nothing is recorded.
The names are those of OpenTelemetry's conventions for messaging.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict, defaultdict
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import baggage, context, metrics, propagate, trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from distributed_queue.core.app.middleware import Middleware
from distributed_queue.core.clock import SystemClock
from distributed_queue.core.payload import decode_body
from distributed_queue.errors import Discard, InvalidTask, Snooze
from distributed_queue.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram, MeterProvider
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import Span, TracerProvider

    from distributed_queue.core.storage import ClaimedTask, Exchange, Settlement
    from distributed_queue.core.task import Task
    from distributed_queue.core.worker.context import RunningTask

_NAME = "distributed_queue"
_TYPES = {"enqueue": "send", "claim": "receive", "process": "process", "settle": "settle"}
"""Our operations in the words of the conventions."""
_MOST_LINKS = 128
"""What the SDK keeps of a span's links by default."""
_MOST_REMEMBERED = 10_000
"""Runs whose outcome was not reported yet; of those that never are, the oldest are forgotten."""
_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The boundaries that the conventions advise."""
_MOST_QUEUES = 1_024
"""Of which the attributes are made once."""
_W3C_FIELDS = frozenset({"traceparent", "tracestate", "baggage"})
_match_traceparent = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").fullmatch
_now = SystemClock().now


class _Origin(NamedTuple):
    """What the headers of a task tell of its submission."""

    context: Context
    """What its run is started in: with the span of the submission if the run is to be a child of it, or left out."""
    links: list[Link]
    left_out: Span | None
    """The span of a submission that was not sampled, so that the run is not, either."""


class _Run:
    """The block in which a function runs, within a span. A class, because entering a generator costs more."""

    __slots__ = ("_attributes", "_inside", "_seconds", "_span", "_started", "_token")

    def __init__(self, span: Span, inside: Context, attributes: Mapping[str, Any], seconds: Histogram) -> None:
        self._span = span
        self._inside = inside
        self._attributes = attributes
        self._seconds = seconds

    def __enter__(self) -> None:
        self._token = context.attach(self._inside)
        self._started = time.perf_counter()

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        elapsed = time.perf_counter() - self._started
        if error is not None:
            self._attributes = _note(self._span, self._attributes, error)
        context.detach(self._token)
        self._span.end()
        self._seconds.record(elapsed, self._attributes)


class Tracing(Middleware):
    """Give it to an application: ``DistributedQ(url, middleware=[Tracing()])``.

    A submission is a span, and its context goes with the tasks. The run of a task is a trace of its own that *links* to
    the submission; with ``as_child`` it is a child of it, so that both are one trace. Claims and settlements, which are
    for many tasks at once, link to them too. Where the submission was not sampled, its runs have no span, and nothing
    links to it; functions run in its context, so that ``ParentBased`` samplers leave out spans of their own, too. The
    providers are OpenTelemetry's global ones unless they are given.
    """

    def __init__(
        self,
        *,
        as_child: bool = False,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._as_child = as_child
        self._tracer = trace.get_tracer(_NAME, __version__, tracer_provider)
        meter = metrics.get_meter(_NAME, __version__, meter_provider)
        self._sent = meter.create_counter("messaging.client.sent.messages", "{message}", "Tasks submitted.")
        self._consumed = meter.create_counter("messaging.client.consumed.messages", "{message}", "Tasks claimed.")
        self._run_seconds = meter.create_histogram(
            "messaging.process.duration",
            "s",
            "How long functions ran.",
            explicit_bucket_boundaries_advisory=_DURATIONS,
        )
        self._runs: OrderedDict[tuple[str, str, int], SpanContext] = OrderedDict()
        """Of runs that are to be reported, by queue, task and attempt."""
        self._latest_origin: tuple[dict[str, str], _Origin] | None = None
        """That of the latest run: tasks that were submitted together, and run one after the other, have the same."""

    @contextmanager
    def around_submit(self, tasks: Sequence[Task]) -> Iterator[None]:
        """A span of the submission; its context goes with each task."""
        queues = {task.queue for task in tasks}
        queue = queues.pop() if len(queues) == 1 else None
        attributes = _attributes("enqueue", queue)
        only = {"messaging.message.id": tasks[0].task_id, "distributedq.task.type": tasks[0].type}
        also = only if len(tasks) == 1 else {"messaging.batch.message_count": len(tasks)}
        with self._tracer.start_as_current_span(
            _title("enqueue", queue),
            kind=SpanKind.PRODUCER,
            attributes={**attributes, **also},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            if carrier:
                for task in tasks:
                    task.headers = {**(task.headers or {}), **carrier}
            try:
                yield
            except BaseException as error:
                attributes = _note(span, attributes, error)
                raise
            finally:
                self._sent.add(len(tasks), attributes)

    def around_run(self, task: RunningTask) -> AbstractContextManager[None]:  # type: ignore[override]  # not a generator
        """A span of the run, unless its submission was not sampled."""
        origin = self._origin(task.headers or {})
        if origin.left_out is not None:
            span, inside = origin.left_out, origin.context
        else:
            span = self._start_run(task, origin)
            inside = trace.set_span_in_context(span, origin.context)
        return _Run(span, inside, _attributes("process", task.queue), self._run_seconds)

    def _start_run(self, task: RunningTask, origin: _Origin) -> Span:
        attributes = {
            **_attributes("process", task.queue),
            "messaging.message.id": task.task_id,
            "distributedq.task.type": task.type,
            "distributedq.task.attempt": task.attempt,
            "distributedq.task.priority": task.priority,
        }
        title = _title("process", task.queue)
        span = self._tracer.start_span(title, origin.context, SpanKind.CONSUMER, attributes, origin.links)
        if span.is_recording():
            self._remember((task.queue, task.task_id, task.attempt), span.get_span_context())
        return span

    def _origin(self, headers: dict[str, str]) -> _Origin:
        known = self._latest_origin
        if known is not None and known[0] == headers:
            return known[1]
        submitted = _extract(headers)
        span = trace.get_current_span(submitted)
        traced = span.get_span_context()
        if traced.is_valid and not traced.trace_flags.sampled:
            origin = _Origin(submitted, [], span)
        elif self._as_child:
            origin = _Origin(submitted, [], None)
        else:
            origin = _Origin(_only_baggage(submitted), _links([submitted]), None)
        self._latest_origin = headers, origin
        return origin

    def after_exchange(self, settlements: Sequence[Settlement], answer: Exchange, seconds: float) -> None:
        """A span for each queue that outcomes were reported to, and for each that tasks were claimed from."""
        settled: defaultdict[str, list[Settlement]] = defaultdict(list)
        refused: defaultdict[str, int] = defaultdict(int)
        for settlement, counted in zip(settlements, answer.settled, strict=True):
            settled[settlement.queue].append(settlement)
            refused[settlement.queue] += not counted
        for queue, reported in settled.items():
            runs = [run for each in reported if (run := self._recall(each)) is not None] if self._runs else []
            more = {"distributedq.refused_count": refused[queue]}
            self._tell("settle", queue, len(reported), map(Link, runs), seconds, more)
        claimed: defaultdict[str, list[ClaimedTask]] = defaultdict(list)
        for task in answer.claim.tasks:
            claimed[task.queue].append(task)
        for queue, tasks in claimed.items():
            self._tell("claim", queue, len(tasks), _origins_of(tasks), seconds, {})
            self._consumed.add(len(tasks), _attributes("claim", queue))

    def _tell(  # noqa: PLR0913, PLR0917 - what there is to tell
        self, name: str, queue: str, count: int, links: Iterable[Link], seconds: float, more: Mapping[str, Any]
    ) -> None:
        """Record what has happened within the last ``seconds``. Links are gone through only if it is recorded."""
        ended = _now()
        span = self._tracer.start_span(
            _title(name, queue),
            context.Context(),
            SpanKind.CLIENT,
            {**_attributes(name, queue), "messaging.batch.message_count": count, **more},
            start_time=_nanoseconds(ended - seconds),
        )
        if span.is_recording():
            for link in islice(links, _MOST_LINKS):
                span.add_link(link.context)
        span.end(_nanoseconds(ended))

    def _remember(self, run: tuple[str, str, int], span: SpanContext) -> None:
        self._runs[run] = span
        if len(self._runs) > _MOST_REMEMBERED:
            with suppress(KeyError):  # others forget, too
                self._runs.popitem(last=False)

    def _recall(self, settlement: Settlement) -> SpanContext | None:
        return self._runs.pop((settlement.queue, settlement.id, settlement.attempt), None)


def _note(span: Span, attributes: Mapping[str, Any], error: BaseException) -> Mapping[str, Any]:
    """Note what was raised: as an error, unless a function only says by it what is to become of its task.

    What is measured with the attributes that are returned is told apart by the error.
    """
    kind = type(error).__qualname__
    if isinstance(error, (Snooze, Discard)):
        span.set_attribute("distributedq.verdict", kind)
        return attributes
    span.set_attribute("error.type", kind)
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, str(error)))
    return {**attributes, "error.type": kind}


def _origins_of(tasks: Sequence[ClaimedTask]) -> Iterator[Link]:
    """Found when they are asked for: it takes a look into each task's body."""
    different = dict.fromkeys(tuple(_headers(task.body).items()) for task in tasks)
    yield from _links([_extract(dict(headers)) for headers in different])


def _headers(body: bytes) -> dict[str, str]:
    try:
        return decode_body(body)[1].headers or {}
    except InvalidTask:  # it is to become a dead letter
        return {}


def _extract(headers: dict[str, str]) -> Context:
    """As ``propagate.extract``; the header that is alone by default is read here, in a third of the time."""
    if len(headers) == 1 and _knows_traceparent(propagate.get_global_textmap()):
        found = _match_traceparent(headers.get("traceparent", ""))
        if found is not None:
            trace_id, span_id, flags = (int(part, 16) for part in found.groups())
            span = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
            if span.is_valid:
                return trace.set_span_in_context(NonRecordingSpan(span), context.Context())
    return propagate.extract(headers)


@lru_cache(maxsize=1)
def _knows_traceparent(propagator: TextMapPropagator) -> bool:
    """Whether the context is in the headers of the W3C, and in no others."""
    return "traceparent" in propagator.fields and propagator.fields <= _W3C_FIELDS


@lru_cache(_MOST_QUEUES)
def _attributes(name: str, queue: str | None) -> Mapping[str, Any]:
    """What spans and measurements both have."""
    where = {} if queue is None else {"messaging.destination.name": queue}
    return {
        "messaging.system": "distributedq",
        "messaging.operation.name": name,
        "messaging.operation.type": _TYPES[name],
        **where,
    }


def _title(name: str, queue: str | None) -> str:
    return name if queue is None else f"{name} {queue}"


def _links(origins: Sequence[Context]) -> list[Link]:
    """Links to the submissions that were sampled, each once: the tasks of a batch have the same."""
    spans = [trace.get_current_span(origin).get_span_context() for origin in origins]
    sampled = {span.span_id: span for span in spans if span.is_valid and span.trace_flags.sampled}
    return [Link(span) for span in sampled.values()]


def _only_baggage(origin: Context) -> Context:
    """A context without a span, so that the run begins a trace of its own."""
    made = context.Context()
    for name, value in baggage.get_all(origin).items():
        made = baggage.set_baggage(name, value, made)
    return made


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
