"""The settings: sources and their order, what is accepted, and how they describe themselves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from distributed_queue.errors import ConfigurationError
from distributed_queue.settings import Settings, describe, parse_duration, parse_setting, parse_size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def load(environment: Mapping[str, str] | None = None, dotenv: Path | None = None, **flags: object) -> Settings:
    return Settings.load(flags, environment or {}, dotenv)


def test_without_any_source_the_defaults_hold() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.storage_url, settings.api_key) == ("127.0.0.1", 8000, None, None)


def test_flags_count_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DQ_HOST=file\nDQ_PORT=1\nDQ_WORKERS=1\nDQ_LOG_LEVEL=debug\n")
    settings = load({"DQ_HOST": "environment", "DQ_PORT": "2"}, dotenv, host="flag")
    assert (settings.host, settings.port, settings.workers, settings.log_level) == ("flag", 2, 1, "debug")


def test_a_flag_that_was_not_given_leaves_the_environment() -> None:
    assert load({"DQ_PORT": "2"}, port=None).port == 2
    assert load({"DQ_HANDLERS": "a"}, handlers=()).handlers == ("a",)


def test_a_flag_of_zero_counts() -> None:
    assert load({"DQ_WORKERS": "5"}, workers=0).workers == 0


def test_the_file_may_have_quotes_comments_and_export(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("# a comment\nexport DQ_HOST='quoted' # another\nAPI_KEY=\"with # and spaces\"\n\nDQ_PORT=\n")
    settings = load(dotenv=dotenv)
    assert (settings.host, settings.api_key, settings.port) == ("quoted", "with # and spaces", 8000)


def test_well_known_names_are_honoured_as_they_are() -> None:
    settings = load({"REDIS_URL": "redis://host", "API_KEY": "secret"})
    assert (settings.storage_url, settings.api_key) == ("redis://host", "secret")


def test_our_own_name_counts_before_the_well_known_one() -> None:
    assert load({"REDIS_URL": "redis://a", "DQ_STORAGE_URL": "redis://b"}).storage_url == "redis://b"


def test_an_empty_value_counts_as_none() -> None:
    assert load({"DQ_API_KEY": "", "API_KEY": "  ", "DQ_PORT": ""}) == load()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("DQ_PORT", "0", 0),
        ("DQ_VISIBILITY_TIMEOUT", "5m", 300.0),
        ("DQ_SHUTDOWN_TIMEOUT", "0", 0.0),
        ("DQ_MAX_BODY_BYTES", "2MiB", 2 << 20),
        ("DQ_RATE_LIMIT", "0.5", 0.5),
        ("DQ_QUEUES", "urgent, default", ("urgent", "default")),
        ("DQ_LOG_FORMAT", "JSON", "json"),
    ],
)
def test_values_are_read(variable: str, value: str, expected: object) -> None:
    name = next(each.name for each in describe() if variable in each.variables)
    assert getattr(load({variable: value}), name) == expected


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("DQ_PORT", "http", "whole number from 0 to 65,535"),
        ("DQ_PORT", "70000", "whole number from 0 to 65,535"),
        ("DQ_WORKERS", "-1", "whole number from 0"),
        ("DQ_VISIBILITY_TIMEOUT", "soon", "duration such as 30, 30s, 5m or 2h"),
        ("DQ_RATE_LIMIT", "0", "above 0"),
        ("DQ_RATE_LIMIT", "nan", "above 0"),
        ("DQ_MAX_BODY_BYTES", "1.5x", "512k or 1MiB"),
        ("DQ_LOG_LEVEL", "loud", "debug, info, warning, error"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_is_accepted(variable: str, value: str, accepted: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load({variable: value})
    assert variable in str(refused.value)
    assert repr(value) in str(refused.value)
    assert accepted in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"DQ_HOST=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"\.env cannot be read"):
        load(dotenv=dotenv)


def test_a_mistyped_name_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load({"DQ_PROT": "1", "PATH": "/bin"})
    assert caplog.messages == ["DQ_PROT is not a setting; did you mean DQ_PORT?"]


def test_secrets_are_not_in_what_is_printed() -> None:
    shown = repr(load({"API_KEY": "s3cret", "REDIS_URL": "redis://:s3cret@host"}))
    assert "s3cret" not in shown


def test_every_setting_is_described() -> None:
    for each in describe():
        assert each.doc.endswith("."), each.name
        assert each.variables[0] == f"DQ_{each.name.upper()}"
        assert each.accepts


def test_every_default_is_a_value_that_is_accepted() -> None:
    for each in describe():
        if isinstance(each.default, (int, float, str)):
            assert parse_setting(each.name, str(each.default)) == each.default


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5s", 1.5),
        ("500ms", 0.5),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        (".5s", 0.5),
    ],
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "5 5", "1m30", "5x", "1e3", "nan", "inf", "5m!"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("10", 10), ("10b", 10), ("512k", 524288), ("1MiB", 1 << 20), ("1gb", 1 << 30)]
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert parse_size(text) == size
