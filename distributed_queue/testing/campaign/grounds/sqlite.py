"""An SQLite file, if possible on a small disk of its own."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import apsw

from distributed_queue.testing.campaign.faults.sqlite_file import FileFaults
from distributed_queue.testing.campaign.grounds.ground import ProcessGround

if TYPE_CHECKING:
    from pathlib import Path

    from distributed_queue.testing.campaign.faults import FaultKind

_DISK = "1g"


class SQLiteGround(ProcessGround):
    """The file of a ``sqlite:///`` URL."""

    _disk: Path
    _small_disk = False

    @property
    def url(self) -> str:
        """Of the file."""
        return f"sqlite:///{self._disk}/queue.db"

    def start(self) -> None:
        """Mount the disk, where that is permitted."""
        self._disk = self._folder / "disk"
        self._disk.mkdir()
        trouble = _mount(self._disk)
        if trouble is None:
            self._small_disk = True
            self._cleanup.callback(_unmount, self._disk)
        else:
            self.missing["disk full"] = trouble

    def faults(self, lease_seconds: float) -> list[FaultKind]:
        """Of the processes and the file."""
        of_file = FileFaults(self._disk / "queue.db", self.returns).kinds(small_disk=self._small_disk)
        return [*super().faults(lease_seconds), *of_file]

    def version(self) -> str:
        """What it is, with its version."""
        return f"SQLite {apsw.sqlite_lib_version()}, synchronous full"


def _mount(folder: Path) -> str | None:
    """Mount a small file system in memory; why it cannot be done, None if it was."""
    program = shutil.which("mount")
    if program is None:
        return "there is no mount command"
    command = [program, "-t", "tmpfs", "-o", f"size={_DISK},mode=0700", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    return None if done.returncode == 0 else f"a small disk cannot be mounted: {done.stderr.strip()}"


def _unmount(folder: Path) -> None:
    subprocess.run([shutil.which("umount") or "umount", "-l", str(folder)], check=False)  # noqa: S603 - our own words
