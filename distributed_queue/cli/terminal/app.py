"""The screen of ``dq top``: figures, what is wrong, and tables with keys that act on the row under the cursor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Footer, Static, TabbedContent, TabPane

from distributed_queue.cli.terminal import tables
from distributed_queue.cli.terminal.confirm import Confirm
from distributed_queue.cli.text import duration, one_line, plural
from distributed_queue.core.clock import SystemClock
from distributed_queue.core.lifecycle import TaskStatus
from distributed_queue.core.storage import Command
from distributed_queue.errors import DistributedQueueError
from distributed_queue.observability.problems import BAD, find_problems
from distributed_queue.observability.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.task import Task
    from distributed_queue.observability.sampler import Sample

_ROWS = 200
"""Most tasks that a table shows."""
_PROBLEMS = 5
QUEUES, WORKERS, RUNNING, DEAD = "queues", "workers", "running", "dead"
_COLUMNS = {
    QUEUES: tables.QUEUE_COLUMNS,
    WORKERS: tables.WORKER_COLUMNS,
    RUNNING: tables.RUNNING_COLUMNS,
    DEAD: tables.DEAD_COLUMNS,
}


class Top(App[None]):
    """Looks at ``queue`` every ``seconds``; the caller closes it.

    While the storage is down, the last figures stay, and the first line says what is wrong.
    """

    TITLE = "dq top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #figures, #problems { height: auto; padding: 0 1; }
    #problems { max-height: 7; }
    TabbedContent, TabPane, DataTable { height: 1fr; }
    TabPane { padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"show('{name}')", name.title()) for number, name in enumerate(_COLUMNS, 1)),
        Binding("p", "pause", "Pause or resume"),
        Binding("r", "requeue", "Requeue dead"),
        Binding("c", "cancel", "Cancel task"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, queue: HybridQueue, seconds: float, place: str) -> None:
        super().__init__()
        self._queue = queue
        self._seconds = seconds
        self._place = place
        self._now = SystemClock().now
        self._sampler = Sampler(queue, self._now)

    def compose(self) -> ComposeResult:
        """Figures above, tables below, keys at the bottom."""
        yield Static(id="figures")
        with VerticalScroll(id="problems", can_focus=False):
            yield Static(id="problem-list")
        with TabbedContent(initial=QUEUES):
            for name in _COLUMNS:
                with TabPane(name.title(), id=name):
                    yield DataTable(id=f"{name}-table", cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Name the columns, and begin to look."""
        for name, columns in _COLUMNS.items():
            self._table(name).add_columns(*columns)
        self._focus()
        self._look_again_and_again()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - textual's signature
        """Offer only the keys that do something here."""
        tab = self._tab
        return {
            "pause": tab in {QUEUES, WORKERS},
            "requeue": tab in {QUEUES, DEAD},
            "cancel": tab == RUNNING,
        }.get(action, True)

    def action_show(self, name: str) -> None:
        """Go to a table."""
        self.query_one(TabbedContent).active = name

    def on_tabbed_content_tab_activated(self) -> None:
        """Fill the table that one came to."""
        self._focus()
        self.refresh_bindings()
        self._look_once()

    def action_pause(self) -> None:
        """Pause the queue or worker, or let it go on."""
        key = self._chosen()
        if key is None:
            return
        sample = self._sampler.latest
        if self._tab == QUEUES:
            paused = any(stats.queue == key and stats.config.paused for stats in sample.queues)
            change = self._queue.resume if paused else self._queue.pause
            self._do(lambda: change(key), f"{one_line(key)}: {'resumed' if paused else 'paused'}")
            return
        worker = next((worker for worker in sample.workers if worker.id == key), None)
        if worker is not None:
            order = Command(action="resume" if worker.paused else "pause")
            told = f"{one_line(worker.name)} told to {order.action}; it obeys within two seconds"
            self._do(lambda: self._queue.storage.command(worker.id, order), told)

    def action_requeue(self) -> None:
        """Requeue the dead letter, or, after a question, all those of the queue."""
        key = self._chosen()
        if key is None:
            return
        if self._tab == DEAD:
            self._do(lambda: self._queue.requeue_dead([key]), f"{one_line(key)} requeued")
            return
        count = next((each.counts[TaskStatus.DEAD] for each in self._sampler.latest.queues if each.queue == key), 0)
        if count:
            what = f"Requeue {plural(count, 'dead letter')} of queue {one_line(key)}?"
            self._ask(what, lambda: self._queue.requeue_dead(queue=key), f"dead letters of {one_line(key)} requeued")
        else:
            self.notify(f"{one_line(key)} has no dead letters")

    def action_cancel(self) -> None:
        """Cancel the task, after a question."""
        key = self._chosen()
        if key is not None:
            self._ask(f"Cancel task {one_line(key)}?", lambda: self._queue.cancel(key), f"{one_line(key)}: cancelling")

    @property
    def _tab(self) -> str:
        return self.query_one(TabbedContent).active

    def _table(self, name: str) -> DataTable[Text]:
        return self.query_one(f"#{name}-table", DataTable)

    def _focus(self) -> None:
        self._table(self._tab).focus()

    def _chosen(self) -> str | None:
        """The key of the row under the cursor; None where there is none."""
        table = self._table(self._tab)
        if not table.row_count:
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    @work
    async def _ask(self, question: str, act: Callable[[], object], done: str) -> None:
        if await self.push_screen_wait(Confirm(question)):
            self._do(act, done)

    @work
    async def _do(self, act: Callable[[], object], done: str) -> None:
        """Act in a thread, tell how it went, and look."""
        try:
            await asyncio.to_thread(act)
        except DistributedQueueError as error:
            self.notify(one_line(str(error)), severity="error")
        else:
            self.notify(done)
        await self._look()

    @work
    async def _look_once(self) -> None:
        await self._look()

    @work
    async def _look_again_and_again(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(self._seconds)

    async def _look(self) -> None:
        tab = self._tab
        sample, tasks = await asyncio.to_thread(self._read, tab)
        if not self.query("#figures"):
            return  # the program ended meanwhile
        self.query_one("#figures", Static).update(self._figures(sample))
        self.query_one("#problem-list", Static).update(_problems(sample))
        rows = {
            QUEUES: lambda: tables.queue_rows(sample),
            WORKERS: lambda: tables.worker_rows(sample.workers, self._now()),
            RUNNING: lambda: tables.running_rows(tasks, sample.workers, self._now()),
            DEAD: lambda: tables.dead_rows(tasks, self._now()),
        }
        _fill(self._table(tab), rows[tab]())

    def _read(self, tab: str) -> tuple[Sample, Sequence[Task]]:
        """What the storage says; in a thread."""
        sample = self._sampler.look()
        state = {RUNNING: TaskStatus.PROCESSING, DEAD: TaskStatus.DEAD}.get(tab)
        if state is None or not sample.up:
            return sample, ()
        try:
            return sample, self._queue.find(status=state, limit=_ROWS)
        except DistributedQueueError as error:
            return sample._replace(error=str(error)), ()

    def _figures(self, sample: Sample) -> Text:
        rate, wait = sample.rates.all, sample.rates.all.wait
        busy = sum(worker.active_tasks for worker in sample.workers)
        slots = sum(worker.max_workers for worker in sample.workers)
        state = ("up", "green") if sample.up else ("down", "bold red")
        text = Text.assemble((one_line(self._place), "bold"), "  ", state)
        text.append(f"   in {rate.enqueued:,.1f}/s   done {rate.completed:,.1f}/s   ")
        text.append(f"failed {rate.failed:,.1f}/s", "bold red" if rate.failed else "")
        text.append(f"   wait p50 {duration(wait.p50) or '-'}  p95 {duration(wait.p95) or '-'}")
        text.append(f"   {plural(len(sample.workers), 'worker')}, {busy:,} of {slots:,} slots busy")
        return text


def _problems(sample: Sample) -> Text:
    """The worst few, each with what to do."""
    found = find_problems(sample)
    text = Text()
    for problem in found[:_PROBLEMS]:
        text.append("● ", "bold red" if problem.severity == BAD else "bold yellow")
        text.append(f"{one_line(problem.text)}  ")
        text.append(f"{one_line(problem.advice)}\n", "dim")
    if len(found) > _PROBLEMS:
        text.append(f"and {len(found) - _PROBLEMS} more\n", "dim")
    if not found and sample.number:
        text.append("● ", "green").append("Nothing is wrong")
    text.rstrip()
    return text


def _fill(table: DataTable[Text], rows: tables.Rows) -> None:
    """Change what changed, so that the cursor stays where it is."""
    columns = list(table.columns)
    for key in [row.value for row in table.rows if row.value not in rows]:
        table.remove_row(str(key))
    for key, cells in rows.items():
        if key in table.rows:
            for column, cell in zip(columns, cells, strict=True):
                table.update_cell(key, column, cell, update_width=True)
        else:
            table.add_row(*cells, key=key)
