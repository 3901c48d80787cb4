"""``dq keys``: the API keys of a file, which servers read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from distributed_queue.api.auth.keyfile import changing_keys, read_keys
from distributed_queue.api.auth.keys import NAME, make_key
from distributed_queue.api.auth.roles import Role
from distributed_queue.api.documents import iso_or_none
from distributed_queue.cli.command import Group
from distributed_queue.cli.exits import Conflict, NotFound
from distributed_queue.cli.options import setting_option
from distributed_queue.cli.session import Session
from distributed_queue.cli.text import plural
from distributed_queue.cli.values import Duration
from distributed_queue.core.clock import SystemClock
from distributed_queue.core.files import LOOK_SECONDS
from distributed_queue.core.times import iso
from distributed_queue.errors import ConfigurationError

if TYPE_CHECKING:
    from distributed_queue.api.auth.keys import KeyRecord

_LONGEST_SECONDS = 100 * 365 * 86_400.0
_now = SystemClock().now

keys = Group(
    "keys",
    help="Create, list and revoke API keys. They are kept in a file, of which servers notice changes.",
    examples=("dq keys create --name ci --role submit", "dq keys list", "dq keys revoke ci"),
)
_file = setting_option(
    "--api-keys-file", metavar="FILE", help="The file with the keys.  [default: what DQ_API_KEYS_FILE names]"
)


class Lifetime(Duration):
    """A duration, or None for ``never``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The seconds, or None."""
        if value == "never":
            return None
        seconds = super().convert(value, param, ctx)
        if not 1 <= seconds <= _LONGEST_SECONDS:
            self.fail(f"{value!r} is not between a second and a hundred years; or write never", param, ctx)
        return seconds


@keys.command(
    "create",
    storage=False,
    examples=(
        "dq keys create --name ci --role submit",
        "dq keys create --name grafana --role read --expires 365d",
        'KEY="$(dq keys create --name billing --role submit --role work)"',
    ),
)
@click.option("--name", required=True, metavar="NAME", help="What to call it, in logs too.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([str(role) for role in Role]),
    help="What it is for; several times for several. Each may read.",
)
@click.option(
    "--expires",
    type=Lifetime(),
    default="90d",
    show_default=True,
    metavar="DURATION",
    help="When it ends, from now; or never.",
)
@_file
@click.pass_obj
def create(session: Session, name: str, roles: tuple[str, ...], expires: float | None) -> None:
    """Create a key, and the file if need be. The key is shown this once; only a digest of it is kept."""
    if not re.fullmatch(NAME, name):
        raise click.UsageError(
            "A name has letters, digits and . _ : @ - only, up to 100, and begins with one of the first"
        )
    now = _now()
    made = make_key(name, tuple(map(Role, dict.fromkeys(roles))), now, None if expires is None else now + expires)
    with changing_keys(_path(session)) as known:
        if any(key.name == name and key.state(now) == "active" for key in known):
            raise Conflict(f"There is a key {name!r} already; take another name, or revoke that one first")
        known.append(made.record)
    session.out.show({**_document(made.record, now), "key": made.text}, lambda: session.out.line(made.text))
    until = "does not expire" if made.record.expires_at is None else f"expires at {iso(made.record.expires_at)}"
    session.out.note(f"This is the only time that the key is shown. It {until}.")


@keys.command("list", storage=False, examples=("dq keys list", "dq keys list --json | jq '.items[].name'"))
@_file
@click.pass_obj
def list_(session: Session) -> None:
    """List the keys of the file."""
    now = _now()
    items = [_document(key, now) for key in read_keys(_path(session))]
    session.out.show(
        {"items": items},
        lambda: session.out.table(
            ("ID", "NAME", "ROLES", "STATE", "CREATED", "EXPIRES"),
            ((each["id"], each["name"], ", ".join(each["roles"]), *_ends(each)) for each in items),
        ),
    )


@keys.command("revoke", storage=False, examples=("dq keys revoke ci", "dq keys revoke 5nXq0LmZ2a"))
@click.argument("named", nargs=-1, required=True, metavar="NAME_OR_ID...")
@_file
@click.pass_obj
def revoke(session: Session, named: tuple[str, ...]) -> None:
    """Let keys count no more. A name stands for all keys that have it."""
    now = _now()
    with changing_keys(_path(session)) as known:
        for each in named:
            if not any(each in {key.id, key.name} for key in known):
                raise NotFound(f"There is no key {each!r} in the file")
        chosen = [key for key in known if {key.id, key.name} & set(named) and key.revoked_at is None]
        known[:] = [msgspec.structs.replace(key, revoked_at=now) if key in chosen else key for key in known]
    session.out.show(
        {"revoked": [key.id for key in chosen]}, lambda: session.out.line(f"{plural(len(chosen), 'key')} revoked")
    )
    session.out.note(f"Servers that use the file refuse them within {LOOK_SECONDS:g} s.")


def _ends(key: dict[str, Any]) -> tuple[str, str, str]:
    return key["state"], key["created_at"], key["expires_at"] or "never"


def _path(session: Session) -> Path:
    path = session.settings.api_keys_file
    if not path:
        raise ConfigurationError("No file for keys is named: --api-keys-file FILE, or DQ_API_KEYS_FILE, names it")
    return Path(path)


def _document(key: KeyRecord, now: float) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "roles": [str(role) for role in key.roles],
        "state": key.state(now),
        "created_at": iso(key.created_at),
        "expires_at": iso_or_none(key.expires_at),
        "revoked_at": iso_or_none(key.revoked_at),
    }
