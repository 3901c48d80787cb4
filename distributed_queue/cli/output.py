"""Where answers and messages go: data to stdout, everything else to stderr.

On a terminal data is a table with colours (not where ``NO_COLOR`` is set), in a pipe plain text with all that there is,
and with ``--json`` JSON in both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from distributed_queue.cli.text import json_text, one_line, visible
from distributed_queue.errors import ConfigurationError

STATE_STYLES = {
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
    "completed": "green",
    "processing": "cyan",
    "running": "cyan",
    "retrying": "yellow",
    "paused": "yellow",
    "draining": "yellow",
    "dead": "red",
    "cancelled": "dim",
    "expired": "dim",
    "stopped": "dim",
}
_LEAST_LAST_COLUMN = 20
"""Characters that a table's last column keeps on a narrow terminal; lines that are longer then are wrapped by it."""


class Output:
    """The two streams of a program, and how its answers look on them."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.on_terminal = sys.stdout.isatty()

    def json(self, value: Any) -> None:
        """Print a value as JSON."""
        click.echo(json_text(value))

    def line(self, text: str) -> None:
        """Print one line of data."""
        click.echo(visible(text))

    def finding(self, word: str, name: str, text: str, advice: str = "") -> None:
        """Print one line of a check-up: a word that is coloured as states are; below it what to do, if anything."""
        click.echo(f"{_styled(word)}{'':{6 - len(word)}}{name:<10}  {visible(text)}", color=self._color)
        if advice:
            click.echo(f"{'':18}{click.style('→', fg='cyan')} {visible(advice)}", color=self._color)

    def block(self, text: str) -> None:
        """Print data that may have several lines; made harmless where a terminal shows it."""
        click.echo(visible(text, lines=True) if self.on_terminal else text)

    def show(self, data: Any, human: Callable[[], None]) -> None:
        """Print ``data`` as JSON if that was asked for, else let ``human`` print it for a person."""
        if self.as_json:
            self.json(data)
        else:
            human()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print rows of values under the names of their columns."""
        if self.on_terminal:
            self._rich_table(columns, rows)
            return
        cells = [list(columns), *([one_line(value) for value in row] for row in rows)]
        widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
        for row in cells:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def record(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Print the fields of one thing, a line each; those without a value are left out."""
        given = [(name, value) for name, value in pairs if value is not None]
        width = max((len(name) for name, _ in given), default=0)
        for name, value in given:
            text = visible(value, lines=True) if isinstance(value, str) else one_line(value)
            first, *rest = text.splitlines() or [""]
            click.echo(f"{click.style(name.ljust(width), fg='cyan')}  {_styled(first)}", color=self._color)
            for line in rest:
                click.echo(f"{'':{width}}  {line}")

    def note(self, text: str) -> None:
        """Tell the person something that is not data."""
        click.echo(visible(text), err=True)

    def error(self, cause: str, hint: str = "") -> None:
        """Say in one line what went wrong, and in another what helps."""
        color = None if _colors_wanted() else False
        click.echo(click.style("Error: ", fg="red", bold=True) + visible(cause), err=True, color=color)
        if hint:
            click.echo(click.style("Hint: ", fg="cyan") + visible(hint), err=True, color=color)

    def confirm(self, what: str, *, yes: bool) -> None:
        """Ask before something is destroyed; ``yes`` answers beforehand. Ends the program if the answer is no."""
        if yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise ConfigurationError(f"{what} cannot be undone: in a script, add --yes")
        if not click.confirm(f"{what}. Go on?", err=True):
            self._give_up()

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show that something goes on, on a terminal, where nobody can tell how far it is."""
        if not sys.stderr.isatty():
            yield
            return
        from rich.console import Console  # noqa: PLC0415 - a terminal is there

        with Console(stderr=True).status(f"{what} …"):
            yield

    def _give_up(self) -> NoReturn:
        self.note("Nothing was changed.")
        raise click.exceptions.Exit(1)

    @property
    def _color(self) -> bool | None:
        return None if _colors_wanted() else False

    def _rich_table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A table whose last column gives way where the terminal is narrow: what stands first is what one copies."""
        from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - a terminal is there
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        cells = [[one_line(value) for value in row] for row in rows]
        table = Table(box=SIMPLE_HEAD, show_edge=False, header_style="bold", padding=(0, 1))
        for index, column in enumerate(columns):
            table.add_column(column, no_wrap=index < len(columns) - 1)
        for row in cells:
            *first, last = (Text(cell, style=STATE_STYLES.get(cell, "")) for cell in row)
            last.no_wrap, last.overflow = True, "ellipsis"
            table.add_row(*first, last)
        console = Console(highlight=False)
        fixed = sum(max(len(row[index]) for row in [columns, *cells]) + 3 for index in range(len(columns) - 1))
        console.width = max(console.width, fixed + _LEAST_LAST_COLUMN)
        console.print(table)


def _styled(text: str) -> str:
    style = STATE_STYLES.get(text)
    if style is None:
        return text
    return click.style(text, dim=True) if style == "dim" else click.style(text, fg=style)


def _colors_wanted() -> bool:
    return not os.environ.get("NO_COLOR")
