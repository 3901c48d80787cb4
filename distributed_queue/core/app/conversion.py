"""Values of any supported type to JSON-compatible ones, and back.

msgspec does the work: dataclasses, its own and attrs classes, datetime, date, time, timedelta, UUID, Decimal, bytes
(base64), enums, sets, tuples, typed dictionaries. Pydantic models are converted by their own methods; nothing is
imported for them.
"""

from __future__ import annotations

from typing import Any

import msgspec


def to_plain(value: Any) -> Any:
    """The value as JSON-compatible data. Raises ``TypeError`` for an object of a type that cannot be converted."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_plain_of)


def from_plain(plain: Any, wanted: Any) -> Any:
    """The value of type ``wanted``. Raises ``msgspec.ValidationError`` where the data does not fit it.

    Raises ``TypeError`` where the type itself is not supported.
    """
    return msgspec.convert(plain, wanted, str_keys=True, dec_hook=_value_of)


def _plain_of(value: Any) -> Any:
    dump = getattr(type(value), "model_dump", None)
    if dump is None:
        kind = type(value)
        raise TypeError(f"a {kind.__module__}.{kind.__qualname__} cannot be converted to JSON-compatible data")
    return dump(value, mode="json")


def _value_of(wanted: type[Any], plain: Any) -> Any:
    validate = getattr(wanted, "model_validate", None)
    if validate is not None:
        return validate(plain)
    if isinstance(plain, wanted):
        return plain
    raise TypeError(f"a {wanted.__qualname__} cannot be made of JSON-compatible data")
