"""The signature of a task function: arguments to stored data, and back.

Stored data is an object with the arguments by name, so that a client in any language can write it: variadic ones are
an array under the name of ``*args`` and an object under that of ``**kwargs``. What was not given is not stored; the
function's own default counts when it runs.
"""

from __future__ import annotations

import inspect
import re
import sys
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Union, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from distributed_queue.core.app.conversion import from_plain, to_plain
from distributed_queue.core.app.dependencies import dependencies_of
from distributed_queue.errors import ConfigurationError, InvalidArguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_QUOTED = re.compile(r"(: |-> )'([^']*)'")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_PLAIN_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Signature:
    """Parameters and result of one function, dependencies aside. Annotations are looked at when first needed."""

    def __init__(self, function: Callable[..., Any], local_names: Mapping[str, Any] | None = None) -> None:
        self._function = function
        self._local_names = local_names
        given_later = dependencies_of(function)
        whole = inspect.signature(function)
        kept = [each for each in whole.parameters.values() if each.name not in given_later]
        self._signature = whole.replace(parameters=kept)
        parameters = self._signature.parameters.values()
        self._is_simple = all(each.kind in _PLAIN_KINDS for each in parameters)
        self._positional = tuple(
            each.name for each in parameters if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        )
        self._names = frozenset(self._signature.parameters)
        self._required = frozenset(
            each.name for each in parameters if each.default is each.empty and each.kind in _PLAIN_KINDS
        )

    def encode(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The data to store for a call. Raises ``InvalidArguments`` where the function cannot be called so."""
        wanted = self._parameters
        given = self._bind(args, kwargs)
        try:
            data: dict[str, Any] = to_plain(given)
            from_plain(data, wanted)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArguments(f"{self}: {error}") from error
        return data

    def decode(self, data: Any) -> tuple[list[Any], dict[str, Any]]:
        """Positional and named arguments for a call with stored data. Raises ``InvalidArguments``."""
        wanted = self._parameters
        try:
            found = msgspec.structs.asdict(from_plain({} if data is None else data, wanted))
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArguments(f"{self} cannot be called with the task's data: {error}") from None
        given = {name: value for name, value in found.items() if value is not UNSET}
        return ([], given) if self._is_simple else self._spread(given)

    def encode_result(self, result: Any) -> Any:
        """What a run returned, as data. Raises ``TypeError`` where it cannot be stored."""
        return to_plain(result)

    def decode_result(self, plain: Any) -> Any:
        """A stored result as the type that the function is annotated with.

        Raises ``msgspec.ValidationError`` where it does not fit: an older version of the function may have stored it.
        """
        return plain if self._result is Any else from_plain(plain, self._result)

    def __str__(self) -> str:
        # Annotations are shown as they were written: without quotes (PEP 563), and without the function's own module.
        shown = _QUOTED.sub(r"\1\2", str(self._signature)).replace(f"{self._function.__module__}.", "")
        return self._function.__name__ + shown

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if self._is_simple and len(args) <= len(self._positional):
            # What Signature.bind does, at a tenth of its cost; it is left to word the errors.
            given = dict(zip(self._positional, args))  # noqa: B905 - fewer arguments than parameters is usual
            if given.keys().isdisjoint(kwargs):
                given.update(kwargs)
                if self._required <= given.keys() <= self._names:
                    return given
        try:
            return self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InvalidArguments(f"{self}: {error}") from None

    def _spread(self, given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        bound = inspect.BoundArguments(self._signature, {})
        for name in self._signature.parameters:
            if name in given:
                bound.arguments[name] = given[name]
        return list(bound.args), bound.kwargs

    @cached_property
    def _hints(self) -> dict[str, Any]:
        function = inspect.unwrap(self._function)
        try:
            return get_type_hints(function, localns=dict(self._local_names or {}) or None, include_extras=True)
        except (NameError, TypeError) as error:
            raise ConfigurationError(
                f"The annotations of {self} cannot be resolved: {error}. Import the names that they use outside of "
                "'if TYPE_CHECKING', since the types are needed when the task runs"
            ) from error

    @cached_property
    def _result(self) -> Any:
        hint = self._hints.get("return", Any)
        return type(None) if hint is None else hint

    @cached_property
    def _parameters(self) -> type[msgspec.Struct]:
        """A structure with a field for each parameter."""
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        for parameter in self._signature.parameters.values():
            hint = self._hints.get(parameter.name, Any)
            if parameter.kind is parameter.VAR_POSITIONAL:
                hint = list[hint]  # type: ignore[valid-type]
            elif parameter.kind is parameter.VAR_KEYWORD:
                hint = dict[str, hint]  # type: ignore[valid-type]
            if parameter.default is parameter.empty and parameter.kind in (*_POSITIONAL, parameter.KEYWORD_ONLY):
                fields.append((parameter.name, hint))
            else:
                # Any with UNSET is Any: what is not there is UNSET all the same.
                fields.append((parameter.name, hint if hint is Any else Union[hint, UnsetType], UNSET))  # noqa: UP007
        try:
            structure = msgspec.defstruct(self._function.__name__, fields, kw_only=True, forbid_unknown_fields=True)
            _check_supported(structure)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"An annotation of {self} is not supported: {error}") from error
        return structure


def _check_supported(structure: type[msgspec.Struct]) -> None:
    """Raise ``TypeError`` where msgspec cannot handle a type: it looks at all of them when it first uses one."""
    with suppress(msgspec.ValidationError):
        msgspec.convert({}, structure)


def local_names_of_caller(function: Callable[..., Any], depth: int) -> Mapping[str, Any] | None:
    """For a function defined inside of another one: the names there, which its annotations may use."""
    if "<locals>" not in function.__qualname__:
        return None
    return sys._getframe(depth + 1).f_locals  # noqa: SLF001 - as pydantic does for models defined in functions
