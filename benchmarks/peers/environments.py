"""An environment for each peer, under ``.cache/peers``, made by the clients of the package registries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import ENVIRONMENT
from benchmarks.peers.catalogue import OURS, RAW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.peers.catalogue import Peer

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
PINS = HERE / "pins"
FOLDER = HERE.parents[1] / ".cache" / "peers"
BIN = "Scripts" if os.name == "nt" else "bin"


class NotInstalled(RuntimeError):
    """A peer cannot be measured; the message says why."""


class Environment:
    """Where a peer and all that it needs are installed."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        name = peer.name.lower()
        self._folder = FOLDER / name
        self._ours = peer in {OURS, RAW}
        self._node = peer.program.endswith(".cjs")
        self._pins = PINS / (f"{name}.json" if self._node else f"{name}.txt")
        self._stamp = self._folder / "installed"

    @property
    def ready(self) -> bool:
        """Whether what is installed is what the pins say."""
        return self._ours or (self._stamp.exists() and self._stamp.read_text() == self._pins.read_text())

    def install(self) -> None:
        """Install it, unless that was done. Raises ``NotInstalled``."""
        if self.ready:
            return
        try:
            self._install_node() if self._node else self._install_python()
        except FileNotFoundError as error:
            raise NotInstalled(f"{error.filename} is not installed") from error
        except subprocess.CalledProcessError as error:
            raise NotInstalled(error.stderr.strip().rpartition("\n")[2] or f"{error.cmd[0]} failed") from error
        self._stamp.write_text(self._pins.read_text())

    def command(self, words: tuple[str, ...], **values: object) -> list[str]:
        """A command with its program found in this environment."""
        program, *rest = (word.format(**values) for word in words)
        found = self._folder / BIN / program
        return [str(found) if found.exists() else program, *rest]

    @property
    def client(self) -> list[str]:
        """The command of the process that enqueues."""
        if self._node:
            return ["node", self.peer.program, "client"]
        return [sys.executable if self._ours else str(self._folder / BIN / "python"), self.peer.program]

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment variables that its processes need to find what they need."""
        if self._node:
            return {**ENVIRONMENT, "NODE_PATH": str(self._folder / "node_modules")}
        return {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(PROGRAMS), ENVIRONMENT["PYTHONPATH"]])}

    @property
    def versions(self) -> dict[str, str]:
        """The packages that matter, with their versions."""
        if self._ours:
            return {}
        if self._node:
            return dict(json.loads(self._pins.read_text())["dependencies"])
        lines = (line.partition(" ;")[0].partition("==") for line in self._pins.read_text().splitlines())
        return {name: version for name, _, version in lines}

    def _install_python(self) -> None:
        python = str(self._folder / BIN / "python")
        _run([sys.executable, "-m", "uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(self._folder)])
        _run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, "-r", str(self._pins)])

    def _install_node(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._pins, self._folder / "package.json")
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(self._folder)])


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
