"""``dq webhooks``: who is told of what happens to tasks, in a file that servers read."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from distributed_queue.api.documents import iso_or_none
from distributed_queue.cli.command import Group
from distributed_queue.cli.exits import NotFound
from distributed_queue.cli.options import setting_option
from distributed_queue.cli.session import Session
from distributed_queue.cli.text import plural
from distributed_queue.cli.values import Duration
from distributed_queue.core.clock import SystemClock
from distributed_queue.core.ids import new_task_id
from distributed_queue.core.times import iso
from distributed_queue.errors import ConfigurationError
from distributed_queue.webhooks import (
    EVENTS,
    AddressRules,
    DeliveryFailed,
    Secret,
    changing_endpoints,
    new_endpoint,
    new_secret,
    read_endpoints,
    send,
    sign,
    trial_document,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.settings import Settings
    from distributed_queue.webhooks import Endpoint

_now = SystemClock().now

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
    address_rules(session.settings).check_url(url)
    for event in events:
        if "*" not in event and event not in EVENTS:
            raise click.UsageError(f"{event!r:.80} is not an event. Events: {', '.join(EVENTS)}")
    made = new_endpoint(url, _now(), events=events, queues=queues, types=types, payload=payload)
    with changing_endpoints(_path(session)) as known:
        known.append(made)
    _show_with_secret(session, made)


@webhooks.command("list", storage=False, examples=("dq webhooks list", "dq webhooks list --json | jq '.items[].url'"))
@_file
@click.pass_obj
def list_(session: Session) -> None:
    """List the webhooks of the file."""
    items = [_document(each) for each in read_endpoints(_path(session))]
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


@webhooks.command("remove", storage=False, examples=("dq webhooks remove 5nXq0LmZ2a",))
@click.argument("named", nargs=-1, required=True, metavar="ID...")
@_file
@click.pass_obj
def remove(session: Session, named: tuple[str, ...]) -> None:
    """Forget webhooks. Deliveries that wait are cancelled when their turn comes."""
    with changing_endpoints(_path(session)) as known:
        for identifier in named:
            _find(known, identifier)
        known[:] = [each for each in known if each.id not in named]
    session.out.show({"removed": list(named)}, lambda: session.out.line(f"{plural(len(named), 'webhook')} removed"))


@webhooks.command("disable", storage=False, examples=("dq webhooks disable 5nXq0LmZ2a",))
@click.argument("identifier", metavar="ID")
@_file
@click.pass_obj
def disable(session: Session, identifier: str) -> None:
    """Tell a webhook nothing for now. What happens meanwhile is not told later."""
    now = _now()
    _change(
        session,
        identifier,
        lambda each: msgspec.structs.replace(each, disabled_at=now, disabled_because="by dq webhooks disable"),
    )


@webhooks.command("enable", storage=False, examples=("dq webhooks enable 5nXq0LmZ2a",))
@click.argument("identifier", metavar="ID")
@_file
@click.pass_obj
def enable(session: Session, identifier: str) -> None:
    """Tell a webhook of events again, from now on."""
    now = _now()
    _change(
        session,
        identifier,
        lambda each: msgspec.structs.replace(each, disabled_at=None, disabled_because="", created_at=now),
    )


@webhooks.command("rotate", storage=False, examples=("dq webhooks rotate 5nXq0LmZ2a --keep 7d",))
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
    now = _now()

    def renew(each: Endpoint) -> Endpoint:
        former = tuple(
            Secret(secret.text, now + keep if secret.until is None else min(secret.until, now + keep))
            for secret in each.secrets
            if secret.signs(now)
        )
        return msgspec.structs.replace(each, secrets=(Secret(new_secret()), *former))

    _show_with_secret(session, _change(session, identifier, renew, quiet=True))


@webhooks.command("test", storage=False, examples=("dq webhooks test 5nXq0LmZ2a",))
@click.argument("identifier", metavar="ID")
@_file
@click.pass_obj
def test(session: Session, identifier: str) -> None:
    """Send a message of type webhook.test now, from here, and say what the endpoint answers."""
    endpoint = _find(read_endpoints(_path(session)), identifier)
    now = _now()
    body = trial_document(now)
    headers = sign(f"msg_{new_task_id()}", int(now), body, endpoint.keys(now))
    answer = send(endpoint.url, body, headers, address_rules(session.settings))
    if not answer.taken:
        raise DeliveryFailed(f"the endpoint answered {answer.status}" + (f": {answer.text}" if answer.text else ""))
    session.out.show({"status": answer.status}, lambda: session.out.line(f"The endpoint answered {answer.status}"))


def address_rules(settings: Settings) -> AddressRules:
    """Where webhooks may go, by the settings."""
    return AddressRules([ip_network(each) for each in settings.webhooks_allow], http=settings.webhooks_http)


def _change(
    session: Session, identifier: str, change: Callable[[Endpoint], Endpoint], *, quiet: bool = False
) -> Endpoint:
    with changing_endpoints(_path(session)) as known:
        changed = change(_find(known, identifier))
        known[:] = [changed if each.id == identifier else each for each in known]
    if not quiet:
        state = "enabled" if changed.enabled else "disabled"
        session.out.show(_document(changed), lambda: session.out.line(f"webhook {identifier} is {state}"))
    return changed


def _find(known: list[Endpoint], identifier: str) -> Endpoint:
    for each in known:
        if each.id == identifier:
            return each
    raise NotFound(f"There is no webhook {identifier!r} in the file")


def _show_with_secret(session: Session, endpoint: Endpoint) -> None:
    secret = endpoint.secrets[0].text
    session.out.show({**_document(endpoint), "secret": secret}, lambda: session.out.line(f"{endpoint.id} {secret}"))
    session.out.note("This is the only time that the secret is shown. Servers that use the file notice within 1 s.")


def _path(session: Session) -> Path:
    path = session.settings.webhooks_file
    if not path:
        raise ConfigurationError("No file for webhooks is named: --webhooks-file FILE, or DQ_WEBHOOKS_FILE, names it")
    return Path(path)


def _document(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "queues": list(endpoint.queues),
        "types": list(endpoint.types),
        "payload": endpoint.payload,
        "enabled": endpoint.enabled,
        "disabled_at": iso_or_none(endpoint.disabled_at),
        "disabled_because": endpoint.disabled_because or None,
        "created_at": iso(endpoint.created_at),
    }
