from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from distributed_queue import errors
from distributed_queue.errors import DistributedQueueError

if TYPE_CHECKING:
    from collections.abc import Iterator


def tree(root: type[DistributedQueueError] = DistributedQueueError) -> Iterator[type[DistributedQueueError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


CLASSES = sorted({each for each in tree() if each.__module__ == errors.__name__}, key=lambda each: each.__name__)


def test_codes_are_unique() -> None:
    codes = [each.code for each in CLASSES]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", CLASSES)
def test_each_error_has_a_code_a_flag_and_a_description_of_its_own(error: type[DistributedQueueError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", error.code)
    assert "code" in vars(error)
    assert isinstance(error.transient, bool)
    assert error.__doc__
    assert error.__doc__.rstrip().endswith(".")


@pytest.mark.parametrize("error", CLASSES)
def test_each_error_stands_in_the_tree_of_the_modules_docstring(error: type[DistributedQueueError]) -> None:
    assert errors.__doc__ is not None
    assert re.search(rf"\b{error.__name__}\b", errors.__doc__)


def test_every_error_of_the_library_is_in_the_module() -> None:
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == set(CLASSES)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.QueueFull("q", 1200, 1000, 2.5), ["'q'", "1,200", "1,000", "2.5 s"]),
        (errors.PayloadTooLarge(2_000_000, 1_048_576), ["2,000,000", "1,048,576", "reference"]),
        (errors.TaskNotFound("t1"), ["'t1'"]),
        (errors.ResultTimeout("t1", 30), ["'t1'", "30 s"]),
        (errors.StorageUnavailable("redis://host:1/0", "refused"), ["redis://host:1/0", "refused"]),
        (errors.MissingDependency("redis://", "redis"), ["pip install 'distributedq[redis]'"]),
        (errors.UnknownTaskType("mial", ["mail", "default"]), ["'mial'", "default, mail"]),
        (errors.UnknownTaskType("mail", []), ["none"]),
    ],
)
def test_a_message_names_the_object_and_the_remedy(error: DistributedQueueError, told: list[str]) -> None:
    for part in told:
        assert part in str(error)


def test_bad_input_and_time_outs_are_what_python_calls_them() -> None:
    assert issubclass(errors.InvalidInput, ValueError)
    assert issubclass(errors.ResultTimeout, TimeoutError)
