"""What open pages of the dashboard cost the storage: ``python -m benchmarks.tabs --help``.

Each tab does what a browser with the overview open does: it listens to the stream of samples, and gets the page again
whenever there is one. The server's and the storage's processor time is taken for a while without tabs, then for as long
with them. Prints JSON, and fails where the tabs took more of the storage's time than the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks import end_in_order
from benchmarks.pages import fill
from benchmarks.places import open_places
from benchmarks.processes import used_seconds
from benchmarks.report import conditions
from benchmarks.scenarios.rest import served
from distributed_queue.testing.servers import HOST

if TYPE_CHECKING:
    from benchmarks.places import Place

TABS = 20
TASKS = 1_000_000
SECONDS = 30.0
LIMIT_SHARE = 0.01
QUICK_TASKS, QUICK_SECONDS = 500, 3.0
_SETTLE_SECONDS = 2.0


def main() -> None:
    """Fill Redis, measure without tabs and with them, print."""
    end_in_order()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tabs", description="Measure what open pages cost.")
    parser.add_argument("--tabs", type=int, default=TABS, help=f"pages that are open (default {TABS})")
    parser.add_argument("--tasks", type=int, default=TASKS, help=f"stored tasks (default {TASKS:,})")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"for each part (default {SECONDS:g})")
    parser.add_argument("--quick", action="store_true", help="few tasks, a short look, to see that it works")
    options = parser.parse_args()
    tasks, seconds = (QUICK_TASKS, QUICK_SECONDS) if options.quick else (options.tasks, options.seconds)
    report = {**conditions("benchmarks.tabs", 1), "tasks": tasks, "tabs": options.tabs, "seconds": seconds}
    with open_places(["redis"]) as (place,), place.session(workers=0) as session:
        fill(session.queue, tasks)
        command = [sys.executable, "-m", "distributed_queue", "serve", "--workers", "0", "--log-level", "error"]
        with served([*command, "--storage-url", session.queue.storage.url, "--port"]) as (pid, port):
            report["without"] = asyncio.run(_shares(place, pid, port, 0, seconds))
            report["with"] = asyncio.run(_shares(place, pid, port, options.tabs, seconds))
    share = report["with"]["storage"] - report["without"]["storage"]
    report["share_of_storage"] = round(share, 5)
    print(json.dumps(report, indent=2))
    if share > LIMIT_SHARE and not options.quick:
        sys.exit(f"{options.tabs} tabs take {share:.2%} of the storage's time")


async def _shares(place: Place, pid: int, port: int, number: int, seconds: float) -> dict[str, Any]:
    """The parts of a processor that the storage and the server take while so many tabs are open."""
    seen = [0] * number
    async with httpx.AsyncClient(
        base_url=f"http://{HOST}:{port}", timeout=60.0, trust_env=False, limits=httpx.Limits(max_connections=None)
    ) as client:
        tabs = [asyncio.create_task(_tab(client, seen, which)) for which in range(number)]
        await asyncio.sleep(_SETTLE_SECONDS)
        before, seen_before = _used(place, pid), sum(seen)
        await asyncio.sleep(seconds)
        after, refreshed = _used(place, pid), sum(seen) - seen_before
        for tab in tabs:
            if tab.done():
                tab.result()  # a tab that ended has failed
            tab.cancel()
        await asyncio.gather(*tabs, return_exceptions=True)
    storage, server = ((late - early) / seconds for early, late in zip(before, after, strict=True))
    return {"storage": round(storage, 5), "server": round(server, 5), "pages_refreshed": refreshed}


async def _tab(client: httpx.AsyncClient, seen: list[int], which: int) -> None:
    (await client.get("/")).raise_for_status()
    async with client.stream("GET", "/live/events") as stream:
        stream.raise_for_status()
        async for line in stream.aiter_lines():
            if line == "event: sample":
                (await client.get("/")).raise_for_status()
                seen[which] += 1


def _used(place: Place, pid: int) -> tuple[float, float]:
    return place.cpu_seconds() or 0.0, used_seconds([pid])


if __name__ == "__main__":
    main()
