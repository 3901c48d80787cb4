"""How fast is it here? Throughput over time and the latency of single tasks, with a progress bar and a plot.

::

    python distributed_queue/examples/performance_test.py
    python distributed_queue/examples/performance_test.py --storage-url redis://localhost --tasks 200000
    python distributed_queue/examples/performance_test.py --output performance.svg

First, tasks that do nothing are enqueued in batches, and then a worker in this process does them all: how much the
queue can carry. After that, tasks are submitted one by one at a steady pace, whatever becomes of those before: how long
each takes from the call of ``put`` until its handler runs. ``python -m benchmarks`` measures more closely, in processes
of their own.

What one will see: three progress bars, a table, and where the plot is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[2]))  # so that it runs in a clone that is not installed

from distributed_queue import HybridQueue, Task, Worker, WorkerConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

QUEUE = "example-performance"
BATCH = 100
SLICE_SECONDS = 0.1
"""Width of the steps in the plot of throughput, about."""
PURPLE, BLUE, RED = "#8a6fb3", "#2a7fa5", "#c4572e"


class Phase(NamedTuple):
    """Something that happened many times."""

    name: str
    began: float
    times: list[float]
    """When, in the order of time; seconds, as ``began``."""
    each: int = 1
    """Tasks each time."""

    @property
    def rate(self) -> float:
        """Tasks per second over the whole phase."""
        return len(self.times) * self.each / (self.times[-1] - self.began)


def measure(
    queue: HybridQueue, count: int, pace: float, seconds: float, progress: Progress
) -> tuple[Phase, Phase, list[float]]:
    """Fill the queue, drain it, then submit at a steady pace; the two phases, and the latencies in seconds."""
    done: list[float] = []
    latencies: list[float] = []
    worker = Worker(queue, WorkerConfig(name="performance", queues=[QUEUE]))
    worker.register_handler("noop", lambda _: done.append(time.perf_counter()))
    worker.register_handler("timed", lambda sent_at: latencies.append(time.perf_counter() - sent_at))

    filling = Phase(f"enqueued, batches of {BATCH}", time.perf_counter(), [], BATCH)
    filling.times.extend(enqueue(queue, count, progress))
    draining = Phase("processed", time.perf_counter(), done)
    worker.start()
    bar = progress.add_task("process", total=count)
    while len(done) < count:
        progress.update(bar, completed=len(done))
        time.sleep(0.02)
    progress.update(bar, completed=count)
    done.sort()
    submit_steadily(queue, pace, seconds, progress)
    worker.stop()
    return filling, draining, latencies


def enqueue(queue: HybridQueue, count: int, progress: Progress) -> Iterable[float]:
    """Store tasks in batches; gives the time after each."""
    bar = progress.add_task("enqueue", total=count)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        queue.put_many([Task(priority=100, payload={"type": "noop", "data": None}, queue=QUEUE) for _ in range(size)])
        progress.advance(bar, size)
        yield time.perf_counter()


def submit_steadily(queue: HybridQueue, pace: float, seconds: float, progress: Progress) -> None:
    """Submit ``pace`` tasks a second, by the clock: a slow answer does not make the load lighter."""
    count = max(2, int(pace * seconds))
    started = time.perf_counter()
    for number in progress.track(range(count), description="latency"):
        time.sleep(max(0.0, started + number / pace - time.perf_counter()))
        task = Task(priority=0, payload={"type": "timed", "data": time.perf_counter()}, queue=QUEUE)
        queue.put(task)
    queue.wait(task.task_id, timeout=10)


def percentiles(latencies: list[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    cuts = quantiles(latencies, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def plot(filling: Phase, draining: Phase, latencies: list[float], title: str, path: Path) -> None:
    """Draw throughput over time beside the distribution of latencies."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    figure.suptitle(title, fontsize=12)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    plot_throughput(left, {PURPLE: filling, BLUE: draining})
    plot_latency(right, latencies)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def plot_throughput(axes: Axes, phases: dict[str, Phase]) -> None:
    """Tasks per second in slices of time, the phases one after the other, each with its color."""
    start = min(phase.began for phase in phases.values())
    for color, phase in phases.items():
        length = phase.times[-1] - phase.began
        slices = max(1, round(length / SLICE_SECONDS))
        width = length / slices
        counts = Counter(min(slices - 1, int((at - phase.began) / width)) for at in phase.times)
        edges = [phase.began - start + index * width for index in range(slices + 1)]
        rates = [counts[index] * phase.each / width for index in range(slices)]
        axes.stairs(rates, edges, fill=True, color=color, alpha=0.3)
        axes.stairs(rates, edges, color=color, linewidth=1.8, label=f"{phase.name}: {phase.rate:,.0f}/s")
    axes.set(title="Throughput", xlabel="seconds", ylabel="tasks per second")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.25)  # room for the legend
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", alpha=0.25)
    axes.legend(frameon=False, loc="upper left", ncols=len(phases))


def plot_latency(axes: Axes, latencies: list[float]) -> None:
    """A histogram up to a little above the 99th percentile, and the two percentiles."""
    median, high = percentiles(latencies)
    milliseconds = [latency * 1000 for latency in latencies]
    axes.hist(milliseconds, bins=60, range=(0, high * 1.3), color=BLUE, alpha=0.6)
    for value, label in ((median, f"median {median:.2f} ms"), (high, f"99 % {high:.2f} ms")):
        axes.axvline(value, color=RED, linewidth=1.2)
        axes.annotate(
            label, (value, 0.97), (4, 0), xycoords=("data", "axes fraction"), textcoords="offset points", va="top"
        )
    axes.set(title="Latency of single tasks", xlabel="milliseconds from put to handler", ylabel="tasks")


def main() -> None:
    """Measure, print, plot."""
    parser = argparse.ArgumentParser(description="Throughput and latency of a queue on this machine.")
    parser.add_argument("--storage-url", default="memory://", help="such as sqlite:///perf.db or redis://localhost")
    parser.add_argument("--tasks", type=int, default=30_000, help="tasks to enqueue and process (default 30,000)")
    parser.add_argument("--pace", type=float, default=300, help="tasks a second for the latency (default 300)")
    parser.add_argument("--seconds", type=float, default=2, help="how long to keep that pace (default 2)")
    parser.add_argument("--output", type=Path, default=Path("performance.png"), help="the plot: .png or .svg")
    options = parser.parse_args()

    console = Console()
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with HybridQueue.from_url(options.storage_url) as queue:
        engine = queue.health().engine
        with Progress(*columns, console=console) as progress:
            filling, draining, latencies = measure(queue, options.tasks, options.pace, options.seconds, progress)

    median, high = percentiles(latencies)
    table = Table(title=f"{engine}, one process", title_justify="left")
    table.add_column("measured")
    table.add_column("result", justify="right")
    for phase in (filling, draining):
        table.add_row(phase.name, f"{phase.rate:,.0f} tasks/s")
    table.add_row(f"latency at {options.pace:,.0f}/s, median", f"{median:.2f} ms")
    table.add_row(f"latency at {options.pace:,.0f}/s, 99 %", f"{high:.2f} ms")
    console.print(table)
    plot(filling, draining, latencies, f"{engine}: {options.tasks:,} tasks that do nothing", options.output)
    console.print(f"plot: {options.output.resolve()}", soft_wrap=True)


if __name__ == "__main__":
    main()
