"""Schemathesis over the whole API: ``python -m distributed_queue.tests.fuzz.api --examples 1000``.

A real server, with workers, over a storage of its own; every operation of its OpenAPI document; all checks of
schemathesis; with a key, without one, and on a server that asks for none.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.surfaces.api_server import KEY, serve_with_workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distributed_queue.tests.surfaces.api_server import Api

MODES = ("key", "no-key", "open")
"""The client has the key; it has none; the server asks for none."""
PHASES = ("examples", "coverage", "fuzzing", "stateful")
SEED = 20260801
_FOLDER = Path(__file__).parent
_ANSWER_SECONDS = 20
_STREAM_SECONDS = 0.01


class Run(NamedTuple):
    """How a run of schemathesis ended."""

    code: int
    """0 where nothing was found."""
    report: str

    @property
    def untested(self) -> int:
        """How many operations of the document no request was sent to."""
        found = [re.findall(rf"{word}: +([0-9]+)", self.report) for word in ("Selected", "Tested")]
        selected, tested = (int(numbers[0]) for numbers in found)
        return selected - tested


def fuzz(
    url: str, mode: str, examples: int, phases: Sequence[str] = PHASES, only: str = "", seconds: float = 600.0
) -> Run:
    """Run schemathesis on an API of its own over the storage at ``url``."""
    with ExitStack() as stack:
        queue = stack.enter_context(HybridQueue.from_url(url, durability=None))
        api = stack.enter_context(
            serve_with_workers(
                queue,
                api_key=None if mode == "open" else KEY,
                require_key_for_reads=mode != "open",
                max_failed_keys=1_000_000_000,
                max_wait_seconds=0.05,
            )
        )
        stack.enter_context(_short_streams(api))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        return _schemathesis(api, mode, examples, phases, only, folder, seconds)


@contextmanager
def _short_streams(api: Api) -> Iterator[None]:
    """Let event streams end shortly after they began, which by themselves they never do."""
    feed = api.app.state.services.feed
    over = threading.Event()

    def end_streams() -> None:
        while not over.wait(_STREAM_SECONDS):
            for stream in list(feed._streams):
                stream._loop.call_soon_threadsafe(stream.end)

    ending = threading.Thread(target=end_streams)
    ending.start()
    try:
        yield
    finally:
        over.set()
        ending.join()


def _schemathesis(
    api: Api, mode: str, examples: int, phases: Sequence[str], only: str, folder: str, seconds: float
) -> Run:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(_FOLDER / "schemathesis.toml")]
    command += ["--no-color", "run", f"{api.url}/openapi.json", "--checks", "all", "--phases", ",".join(phases)]
    command += ["--max-examples", str(examples), "--seed", str(SEED), "--continue-on-failure"]
    command += ["--request-timeout", str(_ANSWER_SECONDS), "--suppress-health-check", "all"]
    if mode == "open":
        command += ["--exclude-checks", "ignored_auth"]
    if mode == "key":
        command += ["--header", f"X-API-Key: {KEY}"]
    if only:
        command += ["--include-path-regex", only]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(_FOLDER / "hooks.py"), "COLUMNS": "120"}
    done = subprocess.run(  # noqa: PLW1510 - the code is the answer
        command, capture_output=True, text=True, timeout=seconds, env=environment, cwd=folder
    )
    return Run(done.returncode, done.stdout + done.stderr)


def main() -> int:
    """Fuzz in every mode, and print the reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="generated requests an operation and phase")
    parser.add_argument("--url", default="memory://", help="the storage; it should be an empty one")
    parser.add_argument("--mode", choices=MODES, action="append", help="without it all, one after the other")
    parser.add_argument("--only", default="", metavar="REGEX", help="only paths that match")
    options = parser.parse_args()
    codes = []
    for mode in options.mode or MODES:
        print(f"== {mode}, {options.url}", flush=True)
        run = fuzz(options.url, mode, options.examples, only=options.only, seconds=24 * 3600.0)
        print(run.report, flush=True)
        codes.append(run.code)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
