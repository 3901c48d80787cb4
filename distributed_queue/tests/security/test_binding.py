"""A server that others can reach has a key, or somebody said that it need not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx
import pytest

from distributed_queue.cli.exits import ExitCode
from distributed_queue.cli.welcome import check_openness
from distributed_queue.errors import ConfigurationError
from distributed_queue.settings import Settings
from distributed_queue.tests.security.keyring import every_kind
from distributed_queue.tests.surfaces.programs import LIMIT, Program, run

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = ["127.0.0.1", "127.1.2.3", "localhost", "::1"]
WIDER = ["0.0.0.0", "::", "", "192.0.2.1", "example.org", "localhost.example.org", "::ffff:0.0.0.0"]


def test_the_server_listens_on_loopback_unless_it_is_told_otherwise() -> None:
    assert Settings().host == "127.0.0.1"


@pytest.mark.parametrize("host", LOOPBACK)
def test_this_machine_needs_no_key(host: str, caplog: pytest.LogCaptureFixture) -> None:
    check_openness(Settings(host=host))
    assert not caplog.messages


@pytest.mark.parametrize("host", WIDER)
def test_others_are_not_let_in_without_a_key(host: str) -> None:
    with pytest.raises(ConfigurationError, match="API_KEY"):
        check_openness(Settings(host=host))


@pytest.mark.parametrize("host", WIDER)
def test_a_key_or_a_file_of_keys_will_do(host: str) -> None:
    check_openness(Settings(host=host, api_key="key"))
    check_openness(Settings(host=host, api_keys_file="keys.json"))


def test_who_wants_it_open_is_warned(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_openness(Settings(host="0.0.0.0", insecure=True))
    assert "may submit, cancel and delete tasks" in caplog.text


def test_an_open_server_does_not_start(tmp_path: Path) -> None:
    answer = run(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0")
    assert answer.code == ExitCode.USAGE
    assert "--insecure" in answer.err
    assert not (tmp_path / "data").exists(), "something was made before it was refused"


def test_a_server_without_its_key_file_does_not_start(tmp_path: Path) -> None:
    answer = run(tmp_path, "serve", "--port", "0", DQ_API_KEYS_FILE="keys.json")
    assert answer.code == ExitCode.USAGE
    assert "dq keys create" in answer.err


def test_a_server_with_a_key_file_lets_in_whom_it_names(tmp_path: Path) -> None:
    keys = every_kind(tmp_path / "keys.json")
    settings = {"DQ_API_KEYS_FILE": "keys.json", "DQ_REQUIRE_KEY_FOR_READS": "yes"}
    with Program(tmp_path, "serve", "--port", "0", "--storage-url", "memory://", **settings) as program:
        url = program.says("  API ").split()[1].removesuffix("/docs") + "/api/v1"
        with httpx.Client(base_url=url, timeout=LIMIT, trust_env=False) as client:
            statuses = [
                client.get(path, headers={"X-API-Key": key} if key else {}).status_code
                for path in ("/health", "/stats")
                for key in ("", keys["read"], keys["expired"])
            ]
        assert statuses == [200, 200, 200, 401, 200, 401]
        assert program.stop() == ExitCode.OK


def test_a_server_without_a_key_answers_to_its_own_names_only(tmp_path: Path) -> None:
    with Program(tmp_path, "serve", "--port", "0", "--storage-url", "memory://") as program:
        url = program.says("  API ").split()[1].removesuffix("/docs")
        with httpx.Client(base_url=url, timeout=LIMIT, trust_env=False) as client:
            for path in ("/", "/docs", "/api/v1/stats", "/api/v1/health"):
                assert client.get(path, headers={"Host": "evil.example:8000"}).status_code == 403
            assert client.get("/api/v1/stats").status_code == 200
        assert program.stop() == ExitCode.OK
