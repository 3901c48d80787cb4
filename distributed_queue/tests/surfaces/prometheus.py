"""Debian's Prometheus for tests: its promtool, and a server of one's own that scrapes what a test serves."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from distributed_queue.testing.servers import HOST, free_port
from distributed_queue.tests.meta.repository import ROOT
from distributed_queue.tests.steps import LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

DEPLOY = ROOT / "deploy"
_LOOK_SECONDS = 0.05


def program(name: str) -> str:
    """Where a program of the package is."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"These tests need {name}. Install it: apt-get install prometheus, or: make servers")
    return path


def promtool(*arguments: str, stdin: str | None = None) -> str:
    """What promtool says to something that has to be right."""
    done = subprocess.run(
        [program("promtool"), *arguments], input=stdin, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


class PrometheusServer:
    """A Prometheus with the rules of ``deploy`` that scrapes once a second; a context manager."""

    def __init__(self, folder: Path, targets: dict[str, str]) -> None:
        """``targets`` are addresses by job, as in the configuration of ``deploy``."""
        self._port = free_port()
        config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(DEPLOY / "prometheus/alerts.yml")]
        jobs = [job for job in config["scrape_configs"] if job["job_name"] in targets]
        for job in jobs:
            job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
        config["scrape_configs"] = jobs
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={file}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={HOST}:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        self._client = httpx.Client(base_url=f"http://{HOST}:{self._port}/api/v1", timeout=LIMIT, trust_env=False)

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; None while it does not answer yet."""
        try:
            response = self._client.get(path, params=parameters)
        except httpx.TransportError:
            assert self._process.poll() is None, self._log.read_text()
            return None
        return response.json()["data"] if response.is_success else None

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What an expression gives now: labels and value."""
        data = self.ask("/query", query=expression)
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]] if data else []

    def waits_for(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What an expression gives as soon as it gives something."""
        end = time.monotonic() + LIMIT
        while not (found := self.query(expression)):
            assert time.monotonic() < end, f"{expression} gave nothing\n{self._log.read_text()[-2000:]}"
            time.sleep(_LOOK_SECONDS)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()
        self._process.kill()
        self._process.wait()
