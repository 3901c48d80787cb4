"""A network of one's own (Linux): servers with loopback addresses of their own, which can be cut off from each other.

``enter_network_namespace`` takes the whole process, and all that it starts later, into a new network namespace, which
is gone when the last of them has ended. What happens in it concerns nobody else on the machine.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CLONE_NEWNET = 0x40000000
_LOCAL_PRIORITY = 100
_CUT_PRIORITY = 10
_HOLE_TABLE = 200


class NoNamespace(RuntimeError):
    """Network namespaces are not allowed here. The message says why."""


class Network:
    """The namespace that this process is in: gives out addresses, and cuts connections between them."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def address(self) -> str:
        """An address of the loopback interface that nobody else has. Clients come from 127.0.0.1."""
        return f"127.0.2.{next(self._numbers)}"

    @contextmanager
    def cut(self, address: str, others: Sequence[str] = ()) -> Iterator[None]:
        """Let nothing through between an address and ``others``, or anybody if there are none, and heal it in the end.

        What is sent gets lost without a word; TCP sends it again after the healing if it has not given up.
        """
        paths = [(address, other) for other in others] or [(address, "all")]
        rules = [f"from {a} to {b} lookup {_HOLE_TABLE}" for one, two in paths for a, b in ((one, two), (two, one))]
        _ip(*(f"rule add priority {_CUT_PRIORITY} {rule}" for rule in rules))
        try:
            yield
        finally:
            _ip(*(f"rule del priority {_CUT_PRIORITY} {rule}" for rule in rules))


def enter_network_namespace() -> Network:
    """Move this process into a network namespace of its own. It must not have threads or connections yet.

    Raises ``NoNamespace`` where that is not possible.
    """
    if shutil.which("ip") is None:
        raise NoNamespace("there is no ip command")
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        raise NoNamespace("this system has no network namespaces")
    if libc.unshare(_CLONE_NEWNET):
        raise NoNamespace(f"a network namespace cannot be made: {os.strerror(ctypes.get_errno())}")
    # What is routed into the hole falls out of its other end, where nobody is. To refuse it instead would not do: a
    # Redis that cannot connect from its own address tries again from any.
    _ip(
        "link set lo up",
        "link add hole type veth peer name nowhere",
        "link set nowhere up",
        "link set hole arp off up",
    )
    Path("/proc/sys/net/ipv4/conf/hole/route_localnet").write_text("1")
    _ip(
        f"route add default dev hole table {_HOLE_TABLE}",
        # Rules of ours have to come before the one by which all local addresses are reached.
        f"rule add priority {_LOCAL_PRIORITY} lookup local",
        "rule del priority 0",
    )
    return Network()


def _ip(*commands: str) -> None:
    """Run commands of ``ip``. Raises ``NoNamespace`` where one fails."""
    program = shutil.which("ip") or "ip"
    lines = "".join(f"{command}\n" for command in commands)
    done = subprocess.run([program, "-batch", "-"], input=lines, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise NoNamespace(f"ip: {done.stderr.strip()}")
