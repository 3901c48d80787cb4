"""Figures out of counters: histograms, percentiles, growth."""

from __future__ import annotations

import pytest

from distributed_queue.core import counters
from distributed_queue.observability.figures import BOUNDS_SECONDS, Figures, Histogram, by_type, growth, together
from distributed_queue.observability.requests import RequestTimes


def histogram(*seconds: float) -> Histogram:
    figures = Figures()
    for each in seconds:
        figures.count(f"{counters.WAIT}.{counters.bucket(round(each * 1000))}", 1)
        figures.count(f"{counters.WAIT}.ms", round(each * 1000))
    return figures.wait


def test_a_percentile_lies_in_the_bucket_of_its_duration() -> None:
    spread = histogram(*[0.02] * 50, *[0.2] * 49, 3.0)
    assert 0.01 < (spread.quantile(0.5) or 0) <= 0.025
    assert 0.1 < (spread.quantile(0.9) or 0) <= 0.25
    assert 2.5 < (spread.quantile(0.999) or 0) <= 5.0
    assert spread.sum_seconds == pytest.approx(1.0 + 9.8 + 3.0)


def test_a_percentile_is_interpolated() -> None:
    assert histogram(*[0.04] * 4).quantile(0.5) == pytest.approx(0.025 + 0.5 * 0.025)


def test_nothing_has_no_percentiles() -> None:
    assert histogram().quantile(0.99) is None


def test_what_is_beyond_the_last_bound_is_told_as_that() -> None:
    assert histogram(1e6).quantile(0.5) == BOUNDS_SECONDS[-1]


def test_cumulative_counts_end_with_all() -> None:
    steps = histogram(0.001, 0.3, 1e6).cumulative()
    assert steps[0] == 1
    assert steps[-2] == 2
    assert steps[-1] == 3
    assert steps == sorted(steps)


def test_counters_are_sorted_out_by_type() -> None:
    types = by_type({"enqueued|mail": 3, "enqueued|a|b": 1, "fenced.settle|": 2, "wait.0|mail": 1, "wait.ms|mail": 4})
    assert types["mail"].counts[counters.ENQUEUED] == 3
    assert types["a|b"].counts[counters.ENQUEUED] == 1
    assert types[""].counts["fenced.settle"] == 2
    assert types["mail"].wait.total == 1
    assert together(types.values()).counts[counters.ENQUEUED] == 4


def test_counters_of_a_newer_layout_do_no_harm() -> None:
    assert by_type({"wait.99|mail": 1, "wait.x|mail": 1, "what is this|mail": 1})["mail"].wait.total == 0


def test_growth_survives_a_counter_that_was_started_anew() -> None:
    assert growth({"a": 5, "b": 2, "c": 1}, {"a": 3, "b": 9}) == {"a": 2, "b": 2, "c": 1}


def test_requests_are_kept_apart_by_method_route_and_status() -> None:
    times = RequestTimes()
    times.observe("GET", "/tasks", 200, 0.02)
    times.observe("GET", "/tasks", 200, 99.0)
    times.observe("POST", "/tasks", 201, 0.001)
    (first, got), (second, posted) = times.read()
    assert (first, second) == (("GET", "/tasks", 200), ("POST", "/tasks", 201))
    assert got.total == 2
    assert got.counts[-1] == 1
    assert posted.counts[0] == 1
