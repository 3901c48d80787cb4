"""``dq check``: judge what a system did by the histories that its processes wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from distributed_queue.cli.command import Command
from distributed_queue.cli.exits import ExitCode
from distributed_queue.cli.session import Session
from distributed_queue.cli.text import plural

if TYPE_CHECKING:
    from distributed_queue.cli.output import Output
    from distributed_queue.testing.proof import Report

_MILLISECONDS = 1000


@click.command(
    cls=Command,
    storage=False,
    examples=("dq check history/*.jsonl", "dq check campaign.jsonl.gz --json | jq .counts"),
)
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, dir_okay=False, readable=True)
)
@click.option(
    "--recovery",
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How much later than its end a dead worker's lease may be taken back (99 of 100 of them).",
)
@click.pass_obj
def check(session: Session, files: tuple[str, ...], recovery: float) -> int:
    """Judge histories: say whether every promise was kept.

    The files of one run are given together, in any order; those whose names end in .gz are unpacked on the way. Exits
    with 0 if every promise was kept, 1 if one was broken, 2 if a file is not a history.
    """
    from distributed_queue.testing.proof import check_files  # noqa: PLC0415 - only here is the proof needed

    with session.out.busy("Judging"):
        try:
            report = check_files(files, recovery_seconds=recovery)
        except (ValueError, OSError, EOFError) as error:
            raise click.UsageError(str(error)) from error
    session.out.show(report.as_dict(), lambda: _print(session.out, report))
    return ExitCode.OK if report.ok else ExitCode.FAILURE


def _print(out: Output, report: Report) -> None:
    out.record(_figures(report))
    out.line("")
    if report.undrained:
        queues = ", ".join(report.undrained)
        out.note(f"Not said to have been let run empty, so what is missing there is not judged: {queues}")
    if report.ok:
        out.line("Every promise was kept.")
        return
    broken = sum(report.counts.values())
    kinds = ", ".join(f"{check.value} {count:,}" for check, count in sorted(report.counts.items()))
    out.line(f"{plural(broken, 'promise')} broken: {kinds}")
    out.line("")
    out.table(
        ("CHECK", "QUEUE", "TASK", "WHAT"),
        ((found.check.value, found.queue, found.task_id, found.message) for found in report.violations),
    )
    if broken > len(report.violations):
        out.note(f"Shown are {len(report.violations):,} of {broken:,}.")


def _figures(report: Report) -> list[tuple[str, Any]]:
    counts = (
        "operations",
        "tasks",
        "acknowledged",
        "completed",
        "dead",
        "attempts",
        "runs",
        "lease_expiries",
        "faults",
    )
    figures: list[tuple[str, Any]] = [(name.replace("_", " "), f"{getattr(report, name):,}") for name in counts]
    if report.recovery_p99 is not None and report.recovery_max is not None:
        late = (report.recovery_p99 * _MILLISECONDS, report.recovery_max * _MILLISECONDS)
        figures.append(("taken over after", f"{late[0]:,.0f} ms (p99), {late[1]:,.0f} ms (longest)"))
    return figures
