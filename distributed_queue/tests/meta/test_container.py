"""What the container files name is there: no container engine is needed to find a wrong path, setting or command."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from typing import Any

import pytest
import yaml

from distributed_queue.cli.main import COMMANDS
from distributed_queue.settings import describe
from distributed_queue.tests.meta.repository import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
IGNORED = (ROOT / ".dockerignore").read_text().split()
SETTINGS = {variable for setting in describe() for variable in setting.variables}


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in shlex.split(line)[:-1]
    ]
    assert copied
    assert not [source for source in copied if not (ROOT / source).exists() or f"!{source}" not in IGNORED]


def test_the_image_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)[-1] not in {"root", "0"}


@pytest.mark.parametrize("service", ["api", "worker"])
def test_settings_in_the_composition_exist(service: str) -> None:
    assert COMPOSE["services"][service]["environment"].keys() <= SETTINGS


def test_commands_of_the_image_and_the_composition_exist() -> None:
    default = re.findall(r'^CMD \["(\w+)"\]$', DOCKERFILE, re.MULTILINE)
    api, worker = (COMPOSE["services"][name]["command"] for name in ("api", "worker"))
    assert {*default, api[0], worker[0]} <= COMMANDS.keys()
    assert find_spec(worker[1]) is not None


def test_settings_in_the_image_exist() -> None:
    assert set(re.findall(r"\b(DQ_[A-Z_]+)=", DOCKERFILE)) <= SETTINGS


def test_ports_are_published_to_this_host_only() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_redis_is_set_up_for_a_queue() -> None:
    command = COMPOSE["services"]["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options == {"--appendonly": "yes", "--appendfsync": "everysec", "--maxmemory-policy": "noeviction"}


def test_services_wait_until_those_that_they_need_are_healthy() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "healthcheck" in services[needed] or "build" in services[needed]
