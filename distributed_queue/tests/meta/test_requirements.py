"""The locked requirements are what pyproject.toml asks for."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from distributed_queue.tests.meta.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
LOCKS = [
    ("requirements.txt", ["all"]),
    ("requirements-server.txt", ["sqlite", "redis", "server", "cli"]),
    ("requirements-dev.txt", ["dev"]),
]
REMEDY = "run: make lock"


class Pin:
    """One locked version: where it applies, and whether pyproject.toml itself asks for it."""

    def __init__(self, block: str) -> None:
        line = block.partition(" \\\n")[0]
        self.requirement = Requirement(line)
        self.name = canonicalize_name(self.requirement.name)
        self.version = Version(next(iter(self.requirement.specifier)).version)
        self.hashes = block.count("--hash=sha256:")
        self.direct = "distributedq (pyproject.toml)" in block

    def applies(self, python: str) -> bool:
        marker = self.requirement.marker
        return marker is None or marker.evaluate({"python_version": python, "python_full_version": f"{python}.5"})


def pins(lock: str) -> Iterator[Pin]:
    text = (ROOT / lock).read_text()
    for block in re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)[1:]:
        yield Pin(block)


def declared(extras: Iterable[str]) -> dict[NormalizedName, Requirement]:
    """What pyproject.toml asks for with these extras, and with those that they name themselves."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[NormalizedName, Requirement] = {}
    for text in [
        *project["dependencies"],
        *(text for extra in extras for text in project["optional-dependencies"][extra]),
    ]:
        requirement = Requirement(text)
        if requirement.name == "distributedq":
            found.update(declared(requirement.extras))
        else:
            found[canonicalize_name(requirement.name)] = requirement
    return found


@pytest.mark.parametrize(("lock", "extras"), LOCKS)
def test_what_is_asked_for_is_locked_and_nothing_else(lock: str, extras: list[str]) -> None:
    assert {pin.name for pin in pins(lock) if pin.direct} == declared(extras).keys(), REMEDY


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("lock", "extras"), LOCKS)
def test_locked_versions_are_ones_that_are_asked_for(lock: str, extras: list[str], python: str) -> None:
    locked = {pin.name: pin.version for pin in pins(lock) if pin.applies(python)}
    wrong = [
        str(requirement)
        for name, requirement in declared(extras).items()
        if (requirement.marker is None or requirement.marker.evaluate({"python_version": python}))
        and not (name in locked and requirement.specifier.contains(locked[name]))
    ]
    assert not wrong, REMEDY


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-server.txt"])
def test_tests_run_on_the_versions_that_users_get(lock: str, python: str) -> None:
    users = {pin.name: pin.version for pin in pins(lock) if pin.applies(python)}
    tests = {pin.name: pin.version for pin in pins("requirements-dev.txt") if pin.applies(python)}
    assert users.items() <= tests.items(), REMEDY


@pytest.mark.parametrize("lock", [lock for lock, _ in LOCKS])
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    assert not [pin.name for pin in pins(lock) if pin.hashes == 0]
    assert "://" not in (ROOT / lock).read_text()


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", [lock for lock, _ in LOCKS])
def test_one_version_of_a_package_applies_to_a_python(lock: str, python: str) -> None:
    names = [pin.name for pin in pins(lock) if pin.applies(python)]
    assert len(names) == len(set(names))
