"""``dq webhooks``: who is told of what happens to tasks, in a file that servers read."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distributed_queue.api.documents import webhook_document
from distributed_queue.cli.command import Group
from distributed_queue.cli.options import setting_option
from distributed_queue.cli.session import Session
from distributed_queue.cli.text import plural
from distributed_queue.cli.values import Duration
from distributed_queue.errors import ConfigurationError
from distributed_queue.webhooks import AddressRules, DeliveryFailed, Register

if TYPE_CHECKING:
    from distributed_queue.settings import Settings
    from distributed_queue.webhooks import Endpoint

webhooks = Group(
    "webhooks",
    help="Tell other systems of what happens to tasks. Webhooks are kept in a file, of which servers notice changes.",
    examples=(
        "dq webhooks add https://example.com/hooks --event task.dead",
        "dq webhooks list",
        "dq webhooks test 5nXq0LmZ2a",
    ),
)
_file = setting_option(
    "--webhooks-file", metavar="FILE", help="The file with the webhooks.  [default: what DQ_WEBHOOKS_FILE names]"
)


@webhooks.command(
    "add",
    storage=False,
    examples=(
        "dq webhooks add https://example.com/hooks",
        "dq webhooks add https://example.com/hooks --event task.dead --queue 'mail*' --type invoice",
    ),
)
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="EVENT",
    help="Tell of this, or a pattern such as 'task.*'; several times for several.  [default: how tasks end]",
)
@click.option("--queue", "queues", multiple=True, metavar="QUEUE", help="Of these queues, or patterns.  [default: all]")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Of tasks of these types, or patterns.")
@click.option("--payload", is_flag=True, help="Send the task's payload, result and error along.")
@_file
@click.pass_obj
def add(
    session: Session,
    url: str,
    events: tuple[str, ...],
    queues: tuple[str, ...],
    types: tuple[str, ...],
    payload: bool,
) -> None:
    """Tell URL of events from now on. Its secret, which receivers check signatures with, is shown this once."""
    made = _register(session).add(url, events=events, queues=queues, types=types, payload=payload)
    _show_with_secret(session, made)


@webhooks.command("list", storage=False, examples=("dq webhooks list", "dq webhooks list --json | jq '.items[].url'"))
@_file
@click.pass_obj
def list_(session: Session) -> None:
    """List the webhooks of the file."""
    items = [webhook_document(each) for each in _register(session).all()]
    session.out.show(
        {"items": items},
        lambda: session.out.table(
            ("ID", "URL", "EVENTS", "QUEUES", "TYPES", "STATE"),
            (
                (
                    each["id"],
                    each["url"],
                    ", ".join(each["events"]),
                    ", ".join(each["queues"]) or "all",
                    ", ".join(each["types"]) or "all",
                    "enabled" if each["enabled"] else f"disabled: {each['disabled_because']}",
                )
                for each in items
            ),
        ),
    )


@webhooks.command(
    "remove", storage=False, examples=("dq webhooks remove 5nXq0LmZ2a", "dq webhooks remove 5nXq0LmZ2a 7bQm3TkV9c")
)
@click.argument("named", nargs=-1, required=True, metavar="ID...")
@_file
@click.pass_obj
def remove(session: Session, named: tuple[str, ...]) -> None:
    """Forget webhooks. Deliveries that wait are cancelled when their turn comes."""
    _register(session).remove(named)
    session.out.show({"removed": list(named)}, lambda: session.out.line(f"{plural(len(named), 'webhook')} removed"))


@webhooks.command(
    "disable",
    storage=False,
    examples=("dq webhooks disable 5nXq0LmZ2a", "dq webhooks disable 5nXq0LmZ2a --webhooks-file hooks.json"),
)
@click.argument("identifier", metavar="ID")
@_file
@click.pass_obj
def disable(session: Session, identifier: str) -> None:
    """Tell a webhook nothing for now. What happens meanwhile is not told later."""
    _show_state(session, _register(session).disable(identifier, "by dq webhooks disable"))


@webhooks.command(
    "enable",
    storage=False,
    examples=("dq webhooks enable 5nXq0LmZ2a", "dq webhooks enable 5nXq0LmZ2a --webhooks-file hooks.json"),
)
@click.argument("identifier", metavar="ID")
@_file
@click.pass_obj
def enable(session: Session, identifier: str) -> None:
    """Tell a webhook of events again, from now on."""
    _show_state(session, _register(session).enable(identifier))


@webhooks.command(
    "rotate", storage=False, examples=("dq webhooks rotate 5nXq0LmZ2a", "dq webhooks rotate 5nXq0LmZ2a --keep 7d")
)
@click.argument("identifier", metavar="ID")
@click.option(
    "--keep",
    type=Duration(),
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="How long messages are signed with the former secrets too.",
)
@_file
@click.pass_obj
def rotate(session: Session, identifier: str, keep: float) -> None:
    """Give a webhook a new secret, which is shown this once. Until the former ends, messages have both signatures."""
    _show_with_secret(session, _register(session).rotate(identifier, keep))


@webhooks.command(
    "test",
    storage=False,
    examples=("dq webhooks test 5nXq0LmZ2a", "dq webhooks test 5nXq0LmZ2a --webhooks-file hooks.json"),
)
@click.argument("identifier", metavar="ID")
@_file
@click.pass_obj
def test(session: Session, identifier: str) -> None:
    """Send a message of type webhook.test now, from here, and say what the endpoint answers."""
    answer = _register(session).try_out(identifier)
    if not answer.taken:
        raise DeliveryFailed(f"the endpoint answered {answer.status}" + (f": {answer.text}" if answer.text else ""))
    session.out.show({"status": answer.status}, lambda: session.out.line(f"The endpoint answered {answer.status}"))


def address_rules(settings: Settings) -> AddressRules:
    """Where webhooks may go, by the settings."""
    return AddressRules([ip_network(each) for each in settings.webhooks_allow], http=settings.webhooks_http)


def register_of(settings: Settings) -> Register | None:
    """The webhooks of the file that the settings name; None where they name none."""
    return Register(Path(settings.webhooks_file), address_rules(settings)) if settings.webhooks_file else None


def _show_state(session: Session, endpoint: Endpoint) -> None:
    state = "enabled" if endpoint.enabled else "disabled"
    session.out.show(webhook_document(endpoint), lambda: session.out.line(f"webhook {endpoint.id} is {state}"))


def _show_with_secret(session: Session, endpoint: Endpoint) -> None:
    secret = endpoint.secrets[0].text
    session.out.show(
        {**webhook_document(endpoint), "secret": secret}, lambda: session.out.line(f"{endpoint.id} {secret}")
    )
    session.out.note("This is the only time that the secret is shown. Servers that use the file notice within 1 s.")


def _register(session: Session) -> Register:
    found = register_of(session.settings)
    if found is None:
        raise ConfigurationError("No file for webhooks is named: --webhooks-file FILE, or DQ_WEBHOOKS_FILE, names it")
    return found
