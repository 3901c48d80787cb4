"""Texts for settings and options: a value that the setting allows, or the documented refusal, which shows no secret."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_queue.cli.values import (
    DURATION,
    JSON,
    MOMENT,
    NONE,
    PATIENCE,
    Json,
    OrNone,
    Setting,
    parse_moment,
)
from distributed_queue.errors import ConfigurationError
from distributed_queue.settings import describe, parse_duration, parse_setting, parse_size, trace

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = describe()
VARIABLES = [variable for each in SETTINGS for variable in each.variables]
SECRETS = [each.name for each in SETTINGS if each.secret]
texts = st.one_of(
    st.text(max_size=40),
    st.text("0123456789.,eE+-_ dhmskKiGBnifatru٣²", max_size=30),
    st.integers().map(str),
    st.floats().map(repr),
    st.sampled_from(
        ["1h30m", "5k", "nan", "-inf", "9" * 400, "9" * 5000, "1" + "0" * 308 + "d", "2030-01-31T08:30:00Z"]
    ),
)


@given(name=st.sampled_from([each.name for each in SETTINGS]), text=texts)
def test_a_setting_is_within_its_bounds_or_refused(name: str, text: str) -> None:
    try:
        value = parse_setting(name, text)
    except ConfigurationError:
        return
    assert not isinstance(value, float) or math.isfinite(value)
    assert parse_setting(name, text) == value


@given(name=st.sampled_from(SECRETS), rest=st.text(max_size=20))
def test_the_refusal_of_a_secret_does_not_show_it(name: str, rest: str) -> None:
    shown = ""
    try:
        parse_setting(name, "open-sesame" + rest)
    except ConfigurationError as error:
        shown = str(error)
    assert "open-sesame" not in shown


@given(environment=st.dictionaries(st.sampled_from(VARIABLES) | st.just("DQ_COLOUR"), texts))
def test_an_environment_is_read_or_refused(environment: dict[str, str]) -> None:
    try:
        traced = trace({}, environment, None)
    except ConfigurationError:
        return
    assert bool(traced.unknown) is ("DQ_COLOUR" in environment)


@given(
    content=st.one_of(
        st.binary(max_size=100),
        st.lists(st.tuples(st.sampled_from(VARIABLES), texts), max_size=5).map(
            lambda lines: "\n".join(f"{name}={text}" for name, text in lines).encode("utf-8", "surrogatepass")
        ),
    )
)
def test_any_env_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = _file(tmp_path_factory, content)
    shown = str(path)
    try:
        trace({}, {}, path)
    except ConfigurationError as error:
        shown = str(error)
    assert str(path) in shown


@given(numbers=st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from("dhms")), min_size=1, max_size=4))
def test_durations_add_up(numbers: list[tuple[int, str]]) -> None:
    seconds = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    written = "".join(f"{number}{unit}" for number, unit in numbers)
    assert parse_duration(written) == sum(number * seconds[unit] for number, unit in numbers)


@given(text=texts)
def test_durations_sizes_and_times_are_numbers_or_value_errors(text: str) -> None:
    for parse in (parse_duration, parse_size, parse_moment):
        try:
            value = parse(text)
        except ValueError:
            continue
        assert isinstance(value, int) or math.isfinite(value)


@given(seconds=st.integers(0, 4_000_000_000))
def test_a_time_that_is_written_as_iso_8601_is_read_back(seconds: int) -> None:
    written = datetime.fromtimestamp(seconds, timezone.utc).isoformat()
    assert (
        parse_moment(written) == parse_moment(written.replace("+00:00", "Z")) == parse_moment(str(seconds)) == seconds
    )


OPTIONS: list[click.ParamType[Any]] = [
    DURATION,
    PATIENCE,
    MOMENT,
    JSON,
    OrNone(DURATION),
    *map(Setting, ("port", "durability", "max_body_bytes")),
]


@given(
    option=st.sampled_from(OPTIONS), text=texts | st.text("@/\x00.~*", max_size=5) | st.text("[{\"':,0", max_size=20)
)
def test_the_value_of_an_option_is_usable_or_refused_as_usage(option: click.ParamType[Any], text: str) -> None:
    with suppress(click.UsageError):
        option.convert("0" if text == "-" else text, None, None)  # A dash alone reads stdin.


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(value=json_values)
def test_json_comes_through_an_option_unchanged(value: Any) -> None:
    read = JSON.convert(json.dumps(value), None, None)
    assert isinstance(read, Json)
    assert read.value == value


def test_json_nested_without_end_is_refused_as_usage() -> None:
    with pytest.raises(click.UsageError, match="not JSON"):
        JSON.convert("[" * 100_000, None, None)


def test_none_stands_for_no_limit() -> None:
    assert OrNone(DURATION).convert("none", None, None) is NONE


def _file(factory: pytest.TempPathFactory, content: bytes) -> Path:
    path = factory.getbasetemp() / "hostile.env"
    path.write_bytes(content)
    return path
