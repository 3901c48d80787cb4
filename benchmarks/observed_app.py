"""The applications whose workers are measured: ``plain`` is observed by nothing, ``traced`` by OpenTelemetry.

One submission of ten is sampled, with all of its runs, and spans are batched for an exporter that drops them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from distributed_queue import DistributedQ
from distributed_queue.observability.sampling import LinkBased
from distributed_queue.observability.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

SAMPLED_SHARE = 0.1
BUSY_SECONDS = 0.001


class _Dropping(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS


def noop(data: str) -> None:
    """Do nothing, which leaves nothing for the costs to hide behind."""


def busy(data: str) -> None:  # noqa: ARG001 - as above
    """Compute for a while, as small tasks do."""
    end = time.thread_time() + BUSY_SECONDS
    while time.thread_time() < end:
        pass


_provider = TracerProvider(sampler=ParentBased(LinkBased(TraceIdRatioBased(SAMPLED_SHARE))))
_provider.add_span_processor(BatchSpanProcessor(_Dropping()))
plain = DistributedQ()
traced = DistributedQ(middleware=[Tracing(tracer_provider=_provider)])
functions = {app: {each.__name__: app.task(each) for each in (noop, busy)} for app in (plain, traced)}
