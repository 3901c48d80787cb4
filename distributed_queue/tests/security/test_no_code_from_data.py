"""No code comes from data: nothing is unpickled or evaluated, and no module is imported because a task names it.

The package's own source is looked through. What is found there must be in the list below, with its reason.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import distributed_queue
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.core.task import Task
from distributed_queue.tests.steps import finished, put, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(distributed_queue.__file__).parent
NOT_RUN_WITH_TASKS = ("tests/", "testing/", "examples/")
"""What no server and no worker imports."""

FORBIDDEN_MODULES = frozenset(
    {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "jsonpickle", "code"}
)
FORBIDDEN_CALLS = frozenset({"eval", "exec", "compile", "__import__", "system", "popen", "unsafe_load", "literal_eval"})
IMPORTING = frozenset({"import_module", "load_module", "exec_module", "resolve_name", "find_spec"})
ALLOWED = {
    ("__init__.py", "import_module"): "its own parts, by a table in the source",
    ("api/__init__.py", "import_module"): "its own parts, by a table in the source",
    ("dashboard/__init__.py", "import_module"): "its own parts, by a table in the source",
    ("cli/main.py", "import_module"): "commands, by a table in the source",
    ("cli/loading.py", "import_module"): "modules with handlers, which whoever starts the program names",
    ("core/registry.py", "import_module"): "engines, by a table in the source, whose keys are the schemes of URLs",
    ("core/worker/children/wire.py", "import_module"): "in a child, what its parent was made with: the handler itself",
    ("integrations/celery/application.py", "import_module"): "modules that the program itself names, in its source",
    ("core/worker/children/child.py", "import_module"): "what the program's own configuration names, before any task",
    ("integrations/django/__init__.py", "import_module"): "its own modules, when they are first asked for",
    ("settings.py", "import_module"): "python-dotenv, where it is installed",
    ("settings.py", "literal_eval"): "of the program's own docstrings, for its documentation",
}
"""File and call, and why it is no danger."""


def findings(source: str) -> Iterator[str]:
    """The names of what a source does that could make code of data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.partition(".")[0] in FORBIDDEN_MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in FORBIDDEN_MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            on = getattr(getattr(node.func, "value", None), "id", "")
            if (name in FORBIDDEN_CALLS and (name, on) != ("compile", "re")) or name in IMPORTING:
                yield name
            if any(each.arg == "shell" for each in node.keywords):
                yield "shell"


def in_package() -> Iterator[tuple[str, str]]:
    """Every file of the package that runs with tasks, and what was found in it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(NOT_RUN_WITH_TASKS):
            yield from ((name, found) for found in findings(path.read_text()))


def test_nothing_in_the_package_makes_code_of_data() -> None:
    assert [found for found in in_package() if found not in ALLOWED] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "def f():\n    from dill import loads",
        "import yaml.loader",
        "import marshal",
        "eval(text)",
        "exec(text)",
        "builtins.eval(text)",
        "compile(text, '', 'exec')",
        "__import__(name)",
        "importlib.import_module(task.type)",
        "from importlib import import_module\nimport_module(name)",
        "pkgutil.resolve_name(name)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_search_finds_it(source: str) -> None:
    assert list(findings(source))


def test_the_search_leaves_what_is_harmless() -> None:
    assert not list(findings("import re, json\nre.compile('x')\njson.loads('1')\nevaluate(x)\nself.executor(x)"))


HOSTILE_TYPES = ["os.system", "builtins:eval", "__import__('os').system", "distributed_queue.handlers:simple", "../x"]


@pytest.mark.parametrize("task_type", HOSTILE_TYPES)
def test_a_type_names_a_handler_that_was_registered_and_nothing_else(task_type: str) -> None:
    with HybridQueue() as queue, running(queue, handlers={"default": lambda data: data}):
        task = put(queue, {"type": task_type, "data": "touch /tmp/x"}, max_retries=0)
        (ended,) = finished(queue, [task])
        assert ended.status == "dead"
        assert "No handler is registered" in str(ended.error)


HOSTILE_VALUES: list[Any] = [
    {"__class__": "os.system", "__reduce__": ["os.system", ["id"]]},
    {"py/object": "subprocess.Popen", "py/reduce": []},
    {"!!python/object/apply:os.system": ["id"]},
    {"exc_type": "system", "exc_module": "os", "exc_message": ["id"]},
    "gASVHwAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==",
    "${jndi:ldap://x}{{7*7}}$(id)`id`",
]
"""What has run code in other systems when it came as an argument, a result or an error."""


@pytest.mark.parametrize("value", HOSTILE_VALUES)
def test_arguments_and_results_come_back_as_the_data_that_they_are(storage_url: str, value: Any) -> None:
    with HybridQueue.from_url(storage_url) as queue, running(queue, handlers={"default": lambda data: data}):
        assert queue.wait_result(put(queue, value).task_id, 20.0) == value


def test_an_error_is_kept_as_text_and_never_made_again(storage_url: str) -> None:
    class Hostile(Exception):
        __module__ = "os"
        __qualname__ = "system"

    def fail(data: Any) -> None:
        raise Hostile("id")

    with HybridQueue.from_url(storage_url) as queue, running(queue, handlers={"default": fail}):
        (ended,) = finished(queue, [put(queue, "x", max_retries=0)])
        assert isinstance(ended, Task)
        assert isinstance(ended.error, str)
