"""A document as an immutable tree of its shared types: what every format is written from.

Not for: how people merge (`order`), or how a format looks. A tree may be a thousand levels deep, so
nothing here or in a format recurses: `unfold` writes it level by level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from collab.content.items import Branch, Item, decode
from collab.content.order import arrange
from collab.core.values import DELETED, EMBED, FORMAT, STRING, TYPE, XML_ELEMENT, XML_HOOK, XML_TEXT

_ARRAY, _MAP, _TEXT, _XML_FRAGMENT = 0, 1, 2, 4
_XML = (XML_ELEMENT, XML_HOOK, XML_TEXT)


@dataclass(frozen=True, slots=True)
class Value:
    """What is no shared type.

    None, bool, int, float, str, bytes, `Undefined`, `Subdocument`, or a list or dict of such.
    """

    data: Any


@dataclass(frozen=True, slots=True)
class Run:
    """A string, or one thing embedded in a text, and how it is formatted.

    A run ends at every mark, as in Yjs' toDelta: neighbours may be formatted alike.
    """

    content: str | Node
    marks: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A Y.Text."""

    runs: tuple[Run, ...]
    attributes: Mapping[str, Node]

    @property
    def plain(self) -> str:
        """Its words alone."""
        return "".join(run.content for run in self.runs if isinstance(run.content, str))


@dataclass(frozen=True, slots=True)
class XmlText(Text):
    """A Y.XmlText: a text in an element or a fragment."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A Y.XmlFragment."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """A Y.XmlElement."""

    name: str
    attributes: Mapping[str, Node]
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Map:
    """A Y.Map, by key: the order in which keys were set is not a part of the document."""

    entries: Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class Hook(Map):
    """A Y.XmlHook: a map that stands for an element."""

    name: str


@dataclass(frozen=True, slots=True)
class Array:
    """A Y.Array."""

    items: tuple[Node, ...]


Node = Text | Fragment | Element | Map | Array | Value


@dataclass(frozen=True, slots=True)
class Root:
    """What stands under a name: what was put in a row, what was set by key, seldom both.

    Neither, if nothing is left of it and nothing tells what it was.
    """

    sequence: Text | Fragment | Array | None
    entries: Map | None


def read(state: bytes) -> dict[str, Root]:
    """Return the roots of a document by name, from a complete Yjs v1 update.

    Raises:
        MalformedError: the state cannot be read.
    """
    roots = arrange(decode(state))
    nodes = _nodes(roots.values())
    return {name: _root(roots[name], nodes) for name in sorted(roots)}


def unfold(node: Node, parts: Callable[[Node], Iterable[str | Node]]) -> str:
    """Return `node` as text; `parts` writes one level of it, and leaves what is inside as it is."""
    written: list[str] = []
    left: list[str | Node] = [node]
    while left:
        part = left.pop()
        if isinstance(part, str):
            written.append(part)
        else:
            left.extend(reversed([*parts(part)]))
    return "".join(written)


# ---- shared types ----


def _nodes(roots: Iterable[Branch]) -> dict[Branch, Node]:
    """Return the node of each shared type inside of the roots."""
    # A type stands behind the one that it is inside of: backwards, what is inside is there already.
    found: list[Branch] = []
    for root in roots:
        found += _inside(root)
    for branch in found:
        found += _inside(branch)
    nodes: dict[Branch, Node] = {}
    for branch in reversed(found):
        nodes[branch] = _node(branch, nodes)
    return nodes


def _inside(branch: Branch) -> Iterator[Branch]:
    for item in (*branch.items(), *branch.last.values()):
        if item.kind == TYPE and not item.deleted:
            yield item.content


def _node(branch: Branch, nodes: Mapping[Branch, Node]) -> Node:
    if branch.kind == _ARRAY:
        return Array(_sequence(branch, nodes))
    if branch.kind == _MAP:
        return Map(_entries(branch, nodes))
    if branch.kind == _TEXT:
        return Text(_runs(branch, nodes), _entries(branch, nodes))
    if branch.kind == XML_TEXT:
        return XmlText(_runs(branch, nodes), _entries(branch, nodes))
    if branch.kind == XML_ELEMENT:
        return Element(branch.name, _entries(branch, nodes), _sequence(branch, nodes))
    if branch.kind == XML_HOOK:
        return Hook(_entries(branch, nodes), branch.name)
    return Fragment(_sequence(branch, nodes))


def _sequence(branch: Branch, nodes: Mapping[Branch, Node]) -> tuple[Node, ...]:
    countable = (item for item in branch.items() if not item.deleted and item.kind != FORMAT)
    return tuple(_child(value, nodes) for item in countable for value in item.values())


def _entries(branch: Branch, nodes: Mapping[Branch, Node]) -> dict[str, Node]:
    return {key: _child(value, nodes) for key, value in branch.entries()}


def _child(value: Any, nodes: Mapping[Branch, Node]) -> Node:
    return nodes[value] if isinstance(value, Branch) else Value(value)


def _runs(branch: Branch, nodes: Mapping[Branch, Node]) -> tuple[Run, ...]:
    runs: list[Run] = []
    words: list[str] = []
    marks: dict[str, Any] = {}
    for item in branch.items():
        if item.deleted:
            continue
        if item.kind == STRING:
            words.append(item.content)
            continue
        if item.kind not in (FORMAT, EMBED, TYPE):
            continue
        if words:
            runs.append(Run("".join(words), marks))
            words = []
        if item.kind == FORMAT:
            key, value = item.content
            marks = {other: marks[other] for other in marks if other != key}
            if value is not None:
                marks[key] = value
        else:
            runs.append(Run(_child(item.content, nodes), marks))
    if words:
        runs.append(Run("".join(words), marks))
    return tuple(runs)


# ---- roots ----


def _root(branch: Branch, nodes: Mapping[Branch, Node]) -> Root:
    """Return what a root holds. Nothing in a document says of which type a root is; what is in it does."""
    items = list(branch.items())
    living = [item for item in items if not item.deleted]
    entries = _entries(branch, nodes)
    if living or entries:
        sequence = _root_sequence(branch, living, nodes) if living else None
        return Root(sequence, Map(entries) if entries else None)
    # All of it is deleted: what can still be read of that tells.
    if readable := [item for item in items if item.kind != DELETED]:
        return Root(_root_sequence(branch, readable, nodes), None)
    return Root(None, Map({}) if branch.last else None)


def _root_sequence(branch: Branch, items: list[Item], nodes: Mapping[Branch, Node]) -> Text | Fragment | Array:
    kinds = {item.kind for item in items}
    types = [item.content.kind in _XML for item in items if item.kind == TYPE]
    if kinds <= {STRING, FORMAT, EMBED, TYPE} and kinds != {TYPE}:
        # A Y.Text doesn't print elements that are embedded in it, a Y.XmlText does.
        text = XmlText if any(types) else Text
        return text(_runs(branch, nodes), {})
    if kinds == {TYPE} and all(types):
        return Fragment(_sequence(branch, nodes))
    return Array(_sequence(branch, nodes))
