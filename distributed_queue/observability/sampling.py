"""A sampler that goes by links, as ``ParentBased`` goes by parents. It is for OpenTelemetry's SDK, and needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind, TraceState
    from opentelemetry.util.types import Attributes


class LinkBased(Sampler):
    """Samples what links to something that was sampled, and leaves all else to ``root``.

    ``ParentBased(LinkBased(TraceIdRatioBased(0.1)))`` samples a tenth of the submissions, with all of their runs. With
    ``ParentBased(TraceIdRatioBased(0.1))`` a tenth of those runs would be left: each begins a trace of its own.
    """

    def __init__(self, root: Sampler) -> None:
        self._root = root

    def should_sample(  # noqa: PLR0913, PLR0917 - the SDK's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide as described above."""
        if any(link.context.trace_flags.sampled for link in links or ()):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, trace_state)
        return self._root.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """As logs and debuggers show it."""
        return f"LinkBased{{{self._root.get_description()}}}"
