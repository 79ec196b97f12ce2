"""What the items of an update hold: past each kind of content, with its length and within bounds.

Not for: the structure around it (`inspection`), or the values themselves; nothing is kept.
Source: Yjs' Content classes, lib0's "any" encoding. What Yjs and yrs read differently is refused,
honest or not: pycrdt would take other structs out of the bytes than those that were checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isinf
from typing import Final, NoReturn

from collab.core.wire import MAX_SAFE_INTEGER, Reader
from collab.errors import MalformedError

MAX_VALUE_DEPTH: Final = 64
"""Nesting of arrays and objects in one value. Yjs throws at about 5,000 (hazards P3)."""

DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOCUMENT = range(1, 10)
"""The kinds of content, as the low five bits of an item's info byte have them."""

XML_ELEMENT, XML_HOOK, XML_TEXT = 3, 5, 6

MAX_JSON_INTEGER: Final = 2**63 - 1
"""What yrs keeps of an integer in JSON; it fails on those from there up to 2^64."""


def _read_deleted(reader: Reader) -> int:
    return reader.var_uint()


def _refuse_json_values(reader: Reader) -> NoReturn:
    """ContentJSON, from before Yjs 13: yrs reads one string too many."""
    raise MalformedError(f"values at byte {reader.position} in the encoding from before Yjs 13")


def _read_binary(reader: Reader) -> int:
    reader.var_bytes()
    return 1


def _read_string(reader: Reader) -> int:
    """A string's length is in UTF-16 code units."""
    data = reader.var_bytes()
    if data.isascii():
        return len(data)
    try:
        return len(data.decode().encode("utf-16-le")) // 2
    except UnicodeDecodeError as error:
        raise MalformedError("a text that is not UTF-8, such as half an emoji") from error


def _read_embed(reader: Reader) -> int:
    _check_json(reader.var_string())
    return 1


def _read_format(reader: Reader) -> int:
    reader.var_string()
    _check_json(reader.var_string())
    return 1


def _read_type(reader: Reader) -> int:
    kind = reader.byte()  # yrs takes one byte; nobody writes more
    # Yjs throws on what yrs knows beyond these. Of an XML hook yrs does not read the name, so that
    # its bytes would become structs that nobody has inspected.
    if kind > XML_TEXT or kind == XML_HOOK:
        raise MalformedError(f"a shared type of kind {kind}")
    if kind == XML_ELEMENT:
        reader.var_string()
    return 1


def _read_values(reader: Reader) -> int:
    count = reader.var_uint()
    for _ in range(count):
        _read_any(reader, MAX_VALUE_DEPTH)
    return count


def _read_document(reader: Reader) -> int:
    reader.var_string()
    if reader.byte() != _ANY_OBJECT:
        raise MalformedError("a subdocument whose options are not an object")
    for _ in range(reader.var_uint()):
        # Yjs lets it win over the name before: one that is not a string can never be encoded again.
        if reader.var_string() == "guid":
            raise MalformedError("a subdocument whose options name it again")
        _read_any(reader, MAX_VALUE_DEPTH - 1)
    return 1


READERS: Final[dict[int, Callable[[Reader], int]]] = {
    DELETED: _read_deleted,
    JSON: _refuse_json_values,
    BINARY: _read_binary,
    STRING: _read_string,
    EMBED: _read_embed,
    FORMAT: _read_format,
    TYPE: _read_type,
    ANY: _read_values,
    DOCUMENT: _read_document,
}
"""For each kind of content: read past it and return its length in clock ticks."""

_ANY_BYTES, _ANY_ARRAY, _ANY_OBJECT, _ANY_STRING, _ANY_INTEGER, _ANY_UNDEFINED = 116, 117, 118, 119, 125, 127
_ANY_FIXED: Final = {120: 0, 121: 0, 122: 8, 123: 8, 124: 4, 126: 0, _ANY_UNDEFINED: 0}
"""Bytes behind true, false, a big integer, a double, a float, null and undefined."""


def _read_any(reader: Reader, depth: int) -> None:
    """Read past one lib0 "any" value."""
    kind = reader.byte()
    fixed = _ANY_FIXED.get(kind)
    if fixed is not None:
        reader.take(fixed)
    elif kind == _ANY_STRING:
        reader.var_string()
    elif kind == _ANY_INTEGER:
        _read_var_int(reader)
    elif kind == _ANY_BYTES:
        reader.var_bytes()
    elif kind not in (_ANY_ARRAY, _ANY_OBJECT):
        raise MalformedError(f"a value of kind {kind}")
    elif depth == 0:
        raise MalformedError(f"a value nested deeper than {MAX_VALUE_DEPTH} levels")
    else:
        for _ in range(reader.var_uint()):
            if kind == _ANY_OBJECT:
                reader.var_string()
            _read_any(reader, depth - 1)


def _read_var_int(reader: Reader) -> None:
    """Read past a signed integer: six bits and the sign in the first byte, at most 53 bits in all."""
    byte = reader.byte()
    value, shift = byte & 0x3F, 6
    while byte > 0x7F:
        byte = reader.byte()
        value |= (byte & 0x7F) << shift
        shift += 7
        if value > MAX_SAFE_INTEGER or shift > 55:
            raise MalformedError("an integer of more than 53 bits")


def _check_json(text: str) -> None:
    """Raise MalformedError unless `text` is JSON that JavaScript and yrs can parse, of bounded depth."""
    # json recurses in C; brackets are counted first so that it never goes deep.
    if text.count("[") + text.count("{") > MAX_VALUE_DEPTH and _json_depth(text) > MAX_VALUE_DEPTH:
        raise MalformedError(f"JSON nested deeper than {MAX_VALUE_DEPTH} levels")
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:  # JavaScript takes half a surrogate pair, yrs does not
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise MalformedError("JSON with half a surrogate pair") from error
    except ValueError as error:
        raise MalformedError("a value that is not JSON, or a number in it that is out of range") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Keep what stands behind the same key twice from passing unseen."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_integer(digits: str) -> None:
    if len(digits) > 18 and MAX_JSON_INTEGER < int(digits) < 2**64:
        raise ValueError("an integer of 64 bits")
    if len(digits) > 308:
        _check_float(digits)


def _check_float(digits: str) -> None:
    if isinf(float(digits)):
        raise ValueError("a number out of range")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_check_integer, parse_float=_check_float
)


def _json_depth(text: str) -> int:
    depth = deepest = 0
    quoted = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped = character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest
