"""``dq doctor``: whether settings, storage and machine are fit for work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from distributed_queue.cli import checks
from distributed_queue.cli.checks import Finding, Level
from distributed_queue.cli.command import Command
from distributed_queue.cli.exits import ExitCode
from distributed_queue.cli.options import setting_option
from distributed_queue.cli.session import Session, default_storage_url
from distributed_queue.core.registry import without_password
from distributed_queue.errors import ConfigurationError
from distributed_queue.settings import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed_queue.cli.output import Output
    from distributed_queue.settings import Traced


@click.command(
    cls=Command,
    examples=(
        "dq doctor",
        "dq doctor --storage-url redis://localhost:6379/0 --durability durable",
        "dq doctor --json | jq '.checks[] | select(.level != \"ok\")'",
    ),
)
@setting_option("--host", metavar="ADDRESS", help="Address that dq serve is to listen on.  [default: 127.0.0.1]")
@setting_option("--port", metavar="N", help="Port that dq serve is to listen on.  [default: 8000]")
@setting_option("--durability", metavar="PROFILE", help="What an acknowledged task has to survive.")
@click.pass_obj
def doctor(session: Session) -> ExitCode:
    """Say whether settings, storage and machine are fit for work, and what to change.

    It shows each setting with where its value comes from, and one line a check: ok, warn (it works, but) or fail. The
    exit code is 1 where something fails.
    """
    findings: list[Finding] = []
    rows: list[dict[str, Any]] = []
    try:
        traced = session.trace()
    except ConfigurationError as error:
        findings.append(Finding("settings", Level.FAIL, str(error)))
    else:
        rows = _settings(traced)
        findings += _findings(traced)
    failed = any(finding.level is Level.FAIL for finding in findings)
    document = {"ok": not failed, "checks": [_document(finding) for finding in findings], "settings": rows}
    session.out.show(document, lambda: _print(session.out, rows, findings))
    return ExitCode.FAILURE if failed else ExitCode.OK


def _findings(traced: Traced) -> Iterator[Finding]:
    settings = traced.settings
    yield checks.check_versions()
    yield from (Finding("settings", Level.WARN, unknown) for unknown in traced.unknown)
    yield from checks.check_storage(settings.storage_url or default_storage_url(), settings.durability)
    yield checks.check_port(settings)
    yield checks.check_api_key(settings)


def _settings(traced: Traced) -> list[dict[str, Any]]:
    """Each setting as it may be shown, and where it came from."""
    rows = []
    for each in describe():
        value = getattr(traced.settings, each.name)
        if each.name == "storage_url":
            value = without_password(value or default_storage_url())
        elif each.secret and value is not None:
            value = "***"
        rows.append(
            {
                "name": each.name,
                "value": list(value) if isinstance(value, tuple) else value,
                "source": traced.origins[each.name],
            }
        )
    return rows


def _document(finding: Finding) -> dict[str, str]:
    return {**finding._asdict(), "level": finding.level.value}


def _print(out: Output, rows: list[dict[str, Any]], findings: list[Finding]) -> None:
    given = [row for row in rows if row["value"] not in (None, [])]
    if given:
        out.table(("SETTING", "FROM", "VALUE"), ((row["name"], row["source"], row["value"]) for row in given))
        out.line("")
    for finding in findings:
        out.finding(finding.level.value, finding.name, finding.text, finding.advice)
