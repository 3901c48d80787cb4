"""The storages that peers use: what they cost, and how they are emptied."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import redis

from benchmarks.peers.environments import PROGRAMS, NotInstalled
from benchmarks.processes import tree, used_seconds
from distributed_queue.testing.servers import HOST, RedisServer, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

    from benchmarks.peers.environments import Environment

POSTGRES_FOLDERS = "/usr/lib/postgresql/*/bin"
"""Where Debian puts the programs that it does not put into PATH."""
SETTINGS = {
    "listen_addresses": HOST,
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "256MB",
}


class Server(Protocol):
    """A storage of its own."""

    @property
    def url(self) -> str:
        """Where it is."""

    def empty(self) -> None:
        """Forget everything."""

    def cpu_seconds(self) -> float:
        """Processor time used so far."""

    def used_bytes(self) -> int:
        """Room that the data takes."""


class BenchRedis:
    """Redis without persistence."""

    def __init__(self, server: RedisServer) -> None:
        self.url = server.url
        self._client = redis.Redis.from_url(server.url)

    def empty(self) -> None:
        """Drop all data."""
        self._client.flushall()

    def cpu_seconds(self) -> float:
        """As the server counts it."""
        usage = self._client.info("cpu")
        return float(usage["used_cpu_user"]) + float(usage["used_cpu_sys"])

    def used_bytes(self) -> int:
        """What its allocator has handed out, less what it lent to clients that are connected."""
        memory = self._client.info("memory")
        return int(memory["used_memory"]) - int(memory["mem_clients_normal"])

    def close(self) -> None:
        """Leave the server."""
        self._client.close()


class BenchPostgres:
    """PostgreSQL without fsync, for the peer that needs it, with that peer's tables."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self._folder = folder
        self._environment = environment
        self._port = free_port()
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if hasattr(os, "geteuid") and os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Of the database that is made anew each time."""
        return self._url("peers")

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700)
        if self._user:
            shutil.chown(self._folder, self._user)
        initdb = [_program("initdb"), "-D", str(self._folder), "-U", "postgres", "-A", "trust", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, user=self._user, cwd=self._folder)
        settings = {**SETTINGS, "port": str(self._port), "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [_program("postgres"), "-D", str(self._folder), *options],
            stderr=subprocess.DEVNULL,
            user=self._user,
            cwd=self._folder,
        )
        end = time.monotonic() + 30
        while not self._accepts() and time.monotonic() < end:
            time.sleep(0.05)
        self._query("postgres", "CREATE DATABASE prepared")
        subprocess.run(
            self._environment.command(self._environment.peer.schema),
            check=True,
            capture_output=True,
            cwd=PROGRAMS,
            env={**self._environment.variables, "PEERS_URL": self._url("prepared"), "PEERS_RESULTS": "0"},
        )
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def empty(self) -> None:
        """A copy of the database that has nothing but tables."""
        self._query("postgres", "DROP DATABASE IF EXISTS peers WITH (FORCE)")
        self._query("postgres", "CREATE DATABASE peers TEMPLATE prepared")

    def cpu_seconds(self) -> float:
        """All of the server's processes."""
        return 0.0 if self._process is None else used_seconds(tree(self._process.pid))

    def used_bytes(self) -> int:
        """Tables and indexes."""
        return int(self._query("postgres", "SELECT pg_database_size('peers')"))

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@{HOST}:{self._port}/{database}"

    def _accepts(self) -> bool:
        command = [_program("pg_isready"), "-q", "-d", self._url("postgres")]
        return subprocess.run(command, check=False).returncode == 0

    def _query(self, database: str, statement: str) -> str:
        psql = [_program("psql"), self._url(database), "-qtAc", statement]
        return subprocess.run(psql, check=True, capture_output=True, text=True).stdout.strip()


def _program(name: str) -> str:
    # The one beside initdb: a wrapper in PATH may choose the user, which is chosen here.
    folders = sorted(Path("/").glob(POSTGRES_FOLDERS.lstrip("/")))
    found = shutil.which(name, path=os.pathsep.join(map(str, folders))) or shutil.which(name)
    if found is None:
        raise NotInstalled("PostgreSQL is not installed (apt-get install postgresql, or brew install postgresql)")
    return found
