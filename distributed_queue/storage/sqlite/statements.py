"""The SQL of this engine: one statement a file, in ``sql/``."""

from __future__ import annotations

from importlib.resources import files

_FOLDER = files(__package__) / "sql"


def sql(name: str) -> str:
    """The statement in ``sql/<name>.sql``, on one line and without its comments.

    Short because SQLite's text is what apsw's cache of prepared statements hashes, for every row of a batch.
    """
    lines = (_FOLDER / f"{name}.sql").read_text("utf-8").splitlines()
    return " ".join(" ".join(line.partition("--")[0].split()) for line in lines).strip()


def migrations() -> list[str]:
    """The scripts that build the layout, oldest first; the number of a layout is how many of them it has had."""
    scripts = sorted((_FOLDER / "migrations").iterdir(), key=lambda script: script.name)
    return [script.read_text("utf-8") for script in scripts if script.name.endswith(".sql")]
