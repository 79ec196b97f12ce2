"""The string that Yjs prints for XML types and their texts, and what JavaScript makes of a value in it.

Yjs escapes nothing in it: it is for people and programs that know Yjs, not for a browser. Not for: a
document as HTML. Source: Yjs YXmlElement.js, YXmlText.js; ECMA-262, Number::toString.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from collab.content.tree import Element, Fragment, Node, Run, Text, Value, XmlText, unfold
from collab.content.values import Subdocument, Undefined

_OBJECT = "[object Object]"


def render(node: Node) -> str:
    """Return what `toString()` gives in Yjs, of any depth."""
    return unfold(node, _parts)


def _parts(node: Node) -> Iterator[str | Node]:
    if isinstance(node, XmlText):
        for run in node.runs:
            yield from _formatted(run)
    elif isinstance(node, Text):
        yield node.plain
    elif isinstance(node, Fragment):
        yield from node.children
    elif isinstance(node, Element):
        name = node.name.lower()
        yield f"<{name}"
        for key in _sorted(node.attributes):
            yield f' {key}="'
            yield node.attributes[key]
            yield '"'
        yield ">"
        yield from node.children
        yield f"</{name}>"
    elif isinstance(node, Value):
        yield string(node.data)
    else:
        yield _OBJECT


def _formatted(run: Run) -> Iterator[str | Node]:
    names = _sorted(run.marks)
    for name in names:
        attributes = _properties(run.marks[name])
        written = (f' {key}="{string(attributes[key])}"' for key in _sorted(attributes))
        yield f"<{name}{''.join(written)}>"
    yield run.content
    for name in reversed(names):
        yield f"</{name}>"


def _properties(value: Any) -> Mapping[str, Any]:
    """Return what JavaScript's `for in` finds in a mark: an object's keys, a string's and a list's positions."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        units = value.encode("utf-16-le", "surrogatepass")
        value = [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]
    return {str(at): item for at, item in enumerate(value)} if isinstance(value, list) else {}


def _sorted(names: Mapping[str, Any]) -> list[str]:
    """Return names as JavaScript sorts them: by their UTF-16 code units."""
    return sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))


def string(value: Any) -> str:
    """Return what JavaScript's `String(value)` gives."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if value is Undefined.UNDEFINED:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, bytes):
        return ",".join(map(str, value))
    if isinstance(value, list):
        return ",".join("" if item is None or item is Undefined.UNDEFINED else string(item) for item in value)
    if isinstance(value, dict | Subdocument):
        return _OBJECT
    return str(value)


def number(value: float) -> str:
    """Return a number as JavaScript writes it: `1`, not `1.0`; `1e+21`, but `100000000000000000000`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    # Python's repr has the same digits, the fewest that tell the number from all others.
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    point = len(digits) + exponent
    text = "".join(map(str, digits))
    if len(digits) <= point <= 21:
        text += "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{text}"
    else:
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        text = f"{text[0]}{fraction}e{point - 1:+d}"
    return f"-{text}" if sign else text
