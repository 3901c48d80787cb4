"""Redis with replicas for tests: servers that Sentinels watch over, and a Cluster. Each is up in about three seconds.

All of them listen on free loopback ports and write nothing to disk unless their options say so. ``heal`` brings back
what a test has ended, so that one topology serves many tests. A server that does not answer is given up after half a
minute, so that a busy machine causes no fail-over by itself; while something is to fail, after a second at most.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from distributed_queue.testing.servers import HOST, RedisServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

    from distributed_queue.testing.namespace import Network

SERVICE = "tasks"
"""What the Sentinels call the primary."""
_CALM_MS = 30_000
_DOWN_AFTER_MS = 500
_NODE_TIMEOUT_MS = 1000
_ELECTION_SECONDS = 6.0
"""After so long, an election that was asked for has failed: others had not yet heard that the replica is back."""
_SLOTS = 16384
_WELL_SECONDS = 60.0
_QUICK = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}


class Topology:
    """Redis servers that belong together, each with an address of its own if there is a ``network``.

    ``options`` are settings of each.
    """

    def __init__(self, folder: Path, network: Network | None = None, **options: str) -> None:
        self.servers: list[RedisServer] = []
        self._folder = folder
        self._network = network
        self._options: dict[str, Any] = {**_QUICK, **options}
        self._cleanup = ExitStack()
        self._clients: dict[int, Any] = {}

    @property
    def url(self) -> str:
        """Of the storage."""
        raise NotImplementedError

    def admin(self, server: RedisServer) -> Any:
        """An operator's client of one server, which answers with texts."""
        if server.port not in self._clients:
            client = redis.Redis(server.host, server.port, decode_responses=True, socket_timeout=5)
            self._clients[server.port] = self._cleanup.enter_context(client)
        return self._clients[server.port]

    def primaries(self) -> list[RedisServer]:
        """The servers that take writes now."""
        return [server for server in self.servers if server.pid and self._state(server).get("role") == "master"]

    def flush(self) -> None:
        """Drop all data."""
        for server in self.primaries():
            self.admin(server).flushall()

    def heal(self) -> None:
        """Start what was ended, and wait until all is well."""
        for server in self.servers:
            server.start()
        wait_until("the topology is whole", self._is_well)
        self._give_up_after(_CALM_MS)

    def hurry(self) -> None:
        """Let a server that fails be noticed soon, until ``fail_over`` is done or ``heal`` called."""
        raise NotImplementedError

    def peers(self, server: RedisServer) -> list[RedisServer]:
        """All that a server talks to by itself."""
        return [other for other in self.servers if other is not server]

    def start(self) -> None:
        """Start all of it, and wait until all is well."""
        raise NotImplementedError

    def stop(self) -> None:
        """End all servers at once."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _is_well(self) -> bool:
        raise NotImplementedError

    def _give_up_after(self, milliseconds: int) -> None:
        raise NotImplementedError

    def _host(self) -> str:
        """Where the next server is to be."""
        return self._network.address() if self._network else HOST

    def _add_server(self, **options: Any) -> RedisServer:
        host = self._host()
        # What it sends to the others comes from its address, too; in protected mode they would take it for a stranger.
        own = {"bind-source-addr": host, "protected-mode": "no"} if self._network else {}
        options = {**own, **self._options, **options}
        server = RedisServer(self._folder / f"server-{len(self.servers)}", host=host, **options)
        self.servers.append(self._cleanup.enter_context(server))
        return server

    def _state(self, server: RedisServer) -> dict[str, Any]:
        """What a server says of its replication; nothing if it does not answer."""
        with suppress(RedisError):
            return dict(self.admin(server).info("replication"))
        return {}

    def _follows(self, server: RedisServer) -> bool:
        return self._state(server).get("master_link_status") == "up"


class SentinelRedis(Topology):
    """A primary, two replicas, and three Sentinels that put a replica in its place when it fails."""

    def __init__(self, folder: Path, network: Network | None = None, **options: str) -> None:
        super().__init__(folder, network, **options)
        self.sentinels: list[Sentinel] = []

    @property
    def url(self) -> str:
        """Where the Sentinels are, and what they call the primary."""
        hosts = ",".join(f"{sentinel.host}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}/0"

    def start(self) -> None:
        """Start all of it."""
        first, *rest = [self._add_server() for _ in range(3)]
        for server in rest:
            self.admin(server).replicaof(first.host, first.port)
        for number in range(3):
            sentinel = Sentinel(self._folder / f"sentinel-{number}", self._host(), first)
            self.sentinels.append(self._cleanup.enter_context(sentinel))
        self.heal()

    def primary(self) -> RedisServer:
        """The server that all Sentinels name. Raises ``LookupError`` where they do not agree."""
        named = {sentinel.named() for sentinel in self.sentinels if sentinel.pid}
        for server in self.servers:
            if named == {server.port}:
                return server
        raise LookupError(f"the Sentinels name {named}")

    def fail_over(self, *, kill: bool = True) -> RedisServer:
        """Let a replica take the place of the primary, which is killed or told to hand over; the old primary."""
        old = self.primary()
        if kill:
            self.hurry()
            old.kill()
        else:
            wait_until("a fail-over can begin", lambda: self.sentinels[0].ask("FAILOVER", SERVICE) == "OK")
        wait_until("another primary is named", lambda: self.primary() is not old and self.primary() in self.primaries())
        # Or a busy machine is taken for a dead one, and the old primary follows the new one.
        self._give_up_after(_CALM_MS)
        return old

    def heal(self) -> None:
        """Start what was ended, and wait until all replicas follow the primary that all Sentinels name."""
        for sentinel in self.sentinels:
            sentinel.start()
        wait_until("the Sentinels agree", lambda: bool(self.primary()))
        primary = self.primary()
        for server in self.servers:
            server.start()
            if server is not primary and self._state(server).get("master_port") != primary.port:
                # The Sentinels do it too, but after ten seconds.
                self.admin(server).replicaof(primary.host, primary.port)
        super().heal()

    def peers(self, server: RedisServer) -> list[RedisServer]:
        """The other servers, and the Sentinels."""
        return [*super().peers(server), *self.sentinels]

    def hurry(self) -> None:
        """Let a primary that fails be noticed within half a second."""
        self._give_up_after(_DOWN_AFTER_MS)

    def _give_up_after(self, milliseconds: int) -> None:
        for sentinel in self.sentinels:
            sentinel.ask("SET", SERVICE, "down-after-milliseconds", str(milliseconds))

    def _is_well(self) -> bool:
        primary = self.primary()
        others = [server for server in self.servers if server is not primary]
        return (
            self.primaries() == [primary]
            and all(self._state(server).get("master_port") == primary.port for server in others)
            and all(self._follows(server) for server in others)
            and all(sentinel.finds_well(primary.port) for sentinel in self.sentinels)
        )


class Sentinel(RedisServer):
    """One of three Sentinels. It keeps what it has learnt in its configuration file, over ``kill`` and ``start``."""

    def __init__(self, folder: Path, host: str, primary: RedisServer) -> None:
        super().__init__(folder, host=host)
        self._configuration = folder / "sentinel.conf"
        folder.mkdir(parents=True)
        settings = (
            f"port {self.port}",
            f"bind {host}",
            f"bind-source-addr {host}",
            f"dir {folder}",
            f"sentinel monitor {SERVICE} {primary.host} {primary.port} 2",
            f"sentinel down-after-milliseconds {SERVICE} {_DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} 3000",
            f"sentinel parallel-syncs {SERVICE} 2",
        )
        self._configuration.write_text("\n".join(settings) + "\n")

    def ask(self, *command: str) -> Any:
        """What it answers to a ``SENTINEL`` command, None if it refuses or is away."""
        with suppress(RedisError), redis.Redis(self.host, self.port, decode_responses=True, socket_timeout=5) as client:
            answer = client.execute_command(f"SENTINEL {command[0]}", *command[1:])
            return "OK" if answer is True else answer
        return None

    def named(self) -> int:
        """The port of the primary that it names."""
        return int((self.ask("GET-MASTER-ADDR-BY-NAME", SERVICE) or ("", 0))[1])

    def finds_well(self, primary_port: int) -> bool:
        """Whether it names this primary, knows all the others, and has nothing to say against any."""
        state = self.ask("MASTER", SERVICE) or {}
        figures = [state.get(name) for name in ("port", "num-slaves", "num-other-sentinels")]
        return figures == [primary_port, 2, 2] and not (state["is_sdown"] or state["is_odown"])

    def _command(self) -> list[str]:
        return [self._program, str(self._configuration), "--sentinel"]


class RedisCluster(Topology):
    """Three primaries that share the slots, each with a replica that takes its place when it fails."""

    def __init__(self, folder: Path, network: Network | None = None, **options: str) -> None:
        cluster = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(_NODE_TIMEOUT_MS),
            "cluster-replica-validity-factor": "0",
        }
        super().__init__(folder, network, **cluster, **options)

    @property
    def url(self) -> str:
        """All its servers."""
        return "redis+cluster://" + ",".join(f"{server.host}:{server.port}" for server in self.servers)

    def start(self) -> None:
        """Start all of it."""
        # The bus has a port of its own: for most free ports the default, 10,000 above, would be out of range.
        buses = [free_port() for _ in range(6)]
        for bus in buses:
            self._add_server(**{"cluster-port": str(bus)})
        primaries, replicas = self.servers[:3], self.servers[3:]
        share = _SLOTS // 3
        for number, server in enumerate(primaries):
            last = _SLOTS if server is primaries[-1] else (number + 1) * share
            self._cluster(server, "ADDSLOTSRANGE", number * share, last - 1)
        for number, server in enumerate(self.servers):
            self._cluster(server, "SET-CONFIG-EPOCH", number + 1)
        for server, bus in zip(self.servers[1:], buses[1:], strict=True):
            self._cluster(primaries[0], "MEET", server.host, server.port, bus)
        wait_until("all know each other", lambda: all(self._known(server) == 6 for server in self.servers))
        for primary, replica in zip(primaries, replicas, strict=True):
            self._cluster(replica, "REPLICATE", self.node_id(primary))
        self.heal()

    def node_id(self, server: RedisServer) -> str:
        """What the other nodes call a server."""
        return str(self._cluster(server, "MYID"))

    def owner(self, key: str) -> RedisServer:
        """The primary that has a key's slot now."""
        slot = key_slot(key.encode())
        for server in self.primaries():
            for first, last, port in self._slots(server):
                if first <= slot <= last:
                    return next(each for each in self.servers if each.port == port)
        raise LookupError(f"no primary has slot {slot}")

    def fail_over(self, key: str, *, kill: bool = True) -> RedisServer:
        """Let a replica take the place of the primary that has a key, killed or told to hand over; the old primary."""
        old = self.owner(key)
        replica = next(each for each in self.servers if self._state(each).get("master_port") == old.port)
        self.hurry()
        if kill:
            old.kill()
        ask_again_at = 0.0

        def has_taken_over() -> bool:
            nonlocal ask_again_at
            if not kill and time.monotonic() >= ask_again_at and replica not in self.primaries():
                ask_again_at = time.monotonic() + _ELECTION_SECONDS
                self._cluster(replica, "FAILOVER")
            return replica in self.primaries() and self._agree()

        wait_until("the replica has taken over", has_taken_over)
        self._give_up_after(_CALM_MS)
        return old

    def hurry(self) -> None:
        """Let a server that fails be noticed within a second."""
        self._give_up_after(_NODE_TIMEOUT_MS)

    def _give_up_after(self, milliseconds: int) -> None:
        for server in self.servers:
            if server.pid is not None:
                self.admin(server).config_set("cluster-node-timeout", milliseconds)

    def _is_well(self) -> bool:
        primaries = self.primaries()
        return (
            len(primaries) == 3
            and self._agree()
            and all(self._known(server) == 6 for server in self.servers)
            and all(self._follows(server) for server in self.servers if server not in primaries)
        )

    def _agree(self) -> bool:
        """Whether all that run find that every slot is served, and by the same servers."""
        views = []
        for server in self.servers:
            if server.pid is not None:
                if self._cluster(server, "INFO")["cluster_state"] != "ok":
                    return False
                views.append(self._slots(server))
        return all(view == views[0] for view in views)

    def _slots(self, server: RedisServer) -> list[tuple[int, int, int]]:
        """First and last slot of each range, and the port of the primary that has it, as a server sees it."""
        return sorted((first, last, primary[1]) for first, last, primary, *_ in self._cluster(server, "SLOTS"))

    def _known(self, server: RedisServer) -> int:
        return int(self._cluster(server, "INFO")["cluster_known_nodes"])

    def _cluster(self, server: RedisServer, command: str, *arguments: object) -> Any:
        return self.admin(server).execute_command(f"CLUSTER {command}", *arguments)


def wait_until(what: str, holds: Callable[[], bool]) -> None:
    """Return as soon as ``holds`` does. Raises ``TimeoutError`` after a minute."""
    end = time.monotonic() + _WELL_SECONDS
    while time.monotonic() < end:
        with suppress(RedisError, LookupError):
            if holds():
                return
        time.sleep(0.02)
    raise TimeoutError(f"{what}: not within {_WELL_SECONDS:g} s")
