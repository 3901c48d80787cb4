"""Storage URLs and ids: understood, or refused in words that show no password."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distributed_queue.core.durability import read_demand
from distributed_queue.core.ids import id_time, new_task_id
from distributed_queue.core.registry import ENGINES, open_storage, without_password
from distributed_queue.errors import ConfigurationError, InvalidStorageURL
from distributed_queue.storage.redis.addresses import read_url
from distributed_queue.storage.sqlite.location import parse_url

SECRET = f"{0xC0FFEE:x}{0xBEEF:x}"
"""Put together here, since Hypothesis tries the texts that it finds in a program by itself."""
schemes = st.sampled_from([*ENGINES, "http", "", "redis+", "REDIS"])
rests = st.one_of(
    st.text(max_size=30),
    st.text("[]:@/?#,&=%0159adb.", max_size=30),
    st.text("[]:,/?=&%.a1", max_size=20).map(lambda rest: f"user:{SECRET}@{rest}"),
    st.text("[]:,/?=&%.a1", max_size=20).map(lambda rest: f"host/{rest}?password={SECRET}"),
)
urls = st.builds("{}://{}".format, schemes, rests)


def _refused(error: ConfigurationError, url: str) -> None:
    assert str(error)
    if url.count(SECRET) and ("@" in url.partition("?")[0] or "password=" in url):
        assert SECRET not in str(error)


@given(url=urls)
@example("redis://[::1/0")
@example("redis://host:port/0")
def test_a_redis_url_is_understood_or_refused(url: str) -> None:
    try:
        target = read_url(url)
    except InvalidStorageURL as error:
        _refused(error, url)
    else:
        assert SECRET not in target.url


@given(url=urls | rests.map("sqlite:///{}".format))
@example("sqlite://[/x")
@example("sqlite:///\ud800")
def test_the_url_of_a_file_is_understood_or_refused(url: str) -> None:
    try:
        location = parse_url(url)
    except InvalidStorageURL:
        return
    assert location.path.startswith("/")


@given(url=urls.filter(lambda url: not url.startswith(tuple(f"{name}:" for name in ENGINES))))
def test_a_scheme_that_no_engine_serves_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_storage(url)


@given(url=urls | st.text(max_size=30))
def test_a_password_is_never_shown(url: str) -> None:
    shown = without_password(url)
    assert without_password(shown) == shown or SECRET not in shown


@given(password=st.text("abcXYZ019-_.~", min_size=3, max_size=20).map("pw-{}".format))
def test_every_password_of_a_url_that_can_be_read_is_masked(password: str) -> None:
    assert password not in without_password(f"redis://me:{password}@host/0?sentinel_password={password}")


@given(
    url=urls,
    options=st.lists(
        st.sampled_from(["durability=durable", "durability=", "replicas=2", "replicas=²", "replicas=-1", "x=1"])
    ),
)
def test_demands_are_taken_out_of_a_url_or_refused(url: str, options: list[str]) -> None:
    asked = f"{url}{'&' if '?' in url else '?'}{'&'.join(options)}"
    try:
        rest, demand = read_demand(asked)
    except ConfigurationError:
        return
    assert "durability=" not in rest.partition("?")[2]
    assert read_demand(rest) == (rest, None)
    assert (demand is not None) is any(option.startswith(("durability=", "replicas=")) for option in options)


@given(
    text=st.text(max_size=50) | st.text("0123456789abcdef-{}urnid:_", min_size=32, max_size=40) | st.uuids().map(str)
)
def test_any_text_has_a_time_or_none(text: str) -> None:
    made = id_time(text)
    assert made is None or 0 <= made < 2**48 / 1000


@given(milliseconds=st.integers(0, 2**48 - 1), rest=st.integers(0, 2**74 - 1))
def test_the_time_of_an_id_is_the_one_in_it(milliseconds: int, rest: int) -> None:
    value = milliseconds << 80 | 7 << 76 | (rest >> 62) << 64 | 2 << 62 | rest & (1 << 62) - 1
    assert id_time(str(UUID(int=value))) == milliseconds / 1000


def test_new_ids_have_a_time() -> None:
    assert id_time(new_task_id()) is not None
