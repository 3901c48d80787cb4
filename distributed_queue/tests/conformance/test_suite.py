"""The suite is whole: what its modules prove, every binding runs."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import pytest

from distributed_queue.core.storage import Storage
from distributed_queue.testing import conformance

MODULES = [module.name for module in iter_modules(conformance.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_every_concern_is_part_of_the_suite(name: str) -> None:
    module = import_module(f"{conformance.__name__}.{name}")
    classes = [
        key for key, value in vars(module).items() if key.startswith("Test") and value.__module__ == module.__name__
    ]
    assert classes or name == "fixtures"
    assert set(classes) <= set(conformance.__all__)


def test_every_verb_of_the_port_is_tried_by_the_suite() -> None:
    verbs = {name for name, verb in vars(Storage).items() if callable(verb) and not name.startswith("_")}
    verbs -= {"wake", "close"}
    life = import_module(f"{conformance.__name__}.life")
    assert verbs <= set(life.VERBS)
