"""What one call of the program has: its flags, its settings, its output, and the way to the queue."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from distributed_queue.cli.output import Output

if TYPE_CHECKING:
    from distributed_queue.core.hybrid_queue import HybridQueue
    from distributed_queue.core.storage import Storage
    from distributed_queue.settings import Settings, Traced

DATABASE_NAME = "queue.db"


class Session:
    """Made by ``main`` for each call, and given to the command. Loads what it is asked for, when it is asked.

    So ``dq --help`` does not pay for the queue.
    """

    def __init__(self) -> None:
        self._flags: dict[str, Any] = {}
        self._offered_url: str | None = None
        self.debug = False
        self.as_json = False

    def take(self, name: str, value: Any) -> None:
        """Keep the value of a flag: ``debug``, ``as_json``, or a field of ``Settings`` (None and () count as none)."""
        if name in {"debug", "as_json"}:
            setattr(self, name, value)
        else:
            self._flags[name] = value

    @cached_property
    def out(self) -> Output:
        """Where answers and messages go."""
        return Output(as_json=self.as_json)

    @cached_property
    def settings(self) -> Settings:
        """Flags, environment, ``.env`` and defaults. Raises ``ConfigurationError``."""
        from distributed_queue.settings import Settings  # noqa: PLC0415 - see the class

        return Settings.load(self._flags)

    def offer_storage(self, url: str) -> None:
        """Use the storage that the user's application names, unless a flag names another one.

        The environment does not count then: the application's submissions go where it says.
        """
        if not self._flags.get("storage_url"):
            self._offered_url = url

    def trace(self) -> Traced:
        """The settings, and where each came from. Raises ``ConfigurationError``."""
        from distributed_queue.settings import trace  # noqa: PLC0415 - see the class

        return trace(self._flags)

    @cached_property
    def storage_url(self) -> str:
        """Where the tasks are; the default file's folder is made."""
        return self._offered_url or self.settings.storage_url or default_storage_url()

    def queue(self, *, configure: bool = False, storage: Storage | None = None) -> HybridQueue:
        """Open the queue, a context manager. ``configure`` lets the settings for queues (``max_size`` …) take effect.

        ``storage`` is one to use instead of opening it. Raises ``StorageUnavailable``.
        """
        from distributed_queue.core.hybrid_queue import HybridQueue  # noqa: PLC0415 - see the class

        settings = self.settings
        limits: dict[str, Any] = {}
        if configure:
            limits = {
                "max_size": settings.max_size,
                "rate_limit": settings.rate_limit,
                "retention_seconds": settings.retention_seconds,
                "retention_count": settings.retention_count,
            }
        return HybridQueue.from_url(
            self.storage_url,
            visibility_timeout=settings.visibility_timeout,
            max_body_bytes=settings.max_body_bytes,
            durability=settings.durability,
            storage=storage,
            **limits,
        )

    def shared_queue(self, *, configure: bool = False) -> HybridQueue:
        """As ``queue``, for commands that speak to other processes. Raises ``ConfigurationError`` for ``memory://``."""
        from distributed_queue.errors import ConfigurationError  # noqa: PLC0415 - see the class

        if self.storage_url.startswith("memory:"):
            raise ConfigurationError("memory:// lives within one process, so only dq serve can use it")
        return self.queue(configure=configure)


def default_storage_url() -> str:
    """The SQLite file in the user's data folder, which is made if need be. Raises ``ConfigurationError``."""
    from platformdirs import user_data_path  # noqa: PLC0415 - only where no storage is named

    from distributed_queue.errors import ConfigurationError  # noqa: PLC0415 - see the class

    folder = user_data_path("distributedq", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder} cannot be made: {error.strerror}. --storage-url or DQ_STORAGE_URL names another."
        ) from error
    # A folder may have a space in its name, as those of macOS have, or a question mark.
    return f"sqlite:///{quote(str(folder / DATABASE_NAME))}"
