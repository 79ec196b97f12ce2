"""Values as a document has them: what JSON can say, and a few things that only JavaScript knows.

Not for: how a format writes them. Source: lib0 decoding.js, readAny.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from collab.core.values import MAX_VALUE_DEPTH
from collab.core.wire import MAX_SAFE_INTEGER, Reader
from collab.errors import MalformedError


class Undefined(Enum):
    """JavaScript's undefined, which is not null."""

    UNDEFINED = "undefined"


@dataclass(frozen=True, slots=True)
class Subdocument:
    """Another document, of which this one has only the name."""

    guid: str


_BYTES, _ARRAY, _OBJECT, _STRING, _INTEGER = 116, 117, 118, 119, 125
_CONSTANTS: Final = {120: True, 121: False, 126: None, 127: Undefined.UNDEFINED}
_NUMBERS: Final = {122: struct.Struct(">q"), 123: struct.Struct(">d"), 124: struct.Struct(">f")}
"""A BigInt, a double and a float."""


def read_any(reader: Reader, depth: int = MAX_VALUE_DEPTH) -> Any:
    """Return one lib0 "any" value.

    An int is exact: an integer within 53 bits, or a BigInt. Other numbers are floats.
    """
    kind = reader.byte()
    if kind == _STRING:
        return reader.var_string()
    if kind == _INTEGER:
        return _read_var_int(reader)
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    if kind in _NUMBERS:
        number = _NUMBERS[kind]
        return number.unpack(reader.take(number.size))[0]
    if kind == _BYTES:
        return reader.var_bytes()
    if kind not in (_ARRAY, _OBJECT) or depth == 0:
        raise MalformedError(f"state at byte {reader.position}: a value of kind {kind}, or nested too deep")
    if kind == _ARRAY:
        return [read_any(reader, depth - 1) for _ in range(reader.var_uint())]
    return {reader.var_string(): read_any(reader, depth - 1) for _ in range(reader.var_uint())}


def _read_var_int(reader: Reader) -> int:
    byte = reader.byte()
    negative = byte & 0x40
    value, shift = byte & 0x3F, 6
    while byte > 0x7F:
        byte = reader.byte()
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 55:
            raise MalformedError(f"state at byte {reader.position}: an integer of more than 53 bits")
    return -value if negative else value


def parse(text: str) -> Any:
    """Return a JSON text as JavaScript reads it: an integer that it can't hold exactly becomes a float."""
    try:
        value = json.loads(text, parse_int=_parse_int)
    except (ValueError, RecursionError) as error:
        raise MalformedError("a value that is not JSON") from error
    if text.count("[") + text.count("{") > MAX_VALUE_DEPTH:
        _check_depth(value)
    return value


def _parse_int(digits: str) -> float:
    number = float(digits)
    return int(number) if abs(number) <= MAX_SAFE_INTEGER else number


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_VALUE_DEPTH):
        containers = [each for each in level if isinstance(each, list | dict)]
        level = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
    if any(isinstance(each, list | dict) for each in level):
        raise MalformedError(f"JSON nested deeper than {MAX_VALUE_DEPTH} levels")
