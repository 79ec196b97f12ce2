"""A document as plain text: the words that a person reads in it (rules X12 to X18)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from collab.content.tree import Array, Element, Fragment, Map, Node, Root, Text, Value, XmlText, read, unfold

_LINE_BREAKS = frozenset({"br", "hardbreak", "linebreak"})
"""As HTML, ProseMirror, Tiptap and Lexical call them, without case, - and _."""


def render(state: bytes) -> bytes:
    """Return the words of the document in UTF-8.

    Raises:
        MalformedError: the state cannot be read.
    """
    roots = read(state).values()
    texts = [_text(root.sequence) for root in roots if isinstance(root.sequence, Text | Fragment)]
    if not texts:
        nodes = list(_walk(roots))
        lines = [_text(node) for node in nodes if isinstance(node, Text | Fragment | Element)]
        lines = lines or [words for node in nodes if isinstance(node, Value) for words in _strings(node.data)]
        texts = ["\n".join(line.removesuffix("\n") for line in lines)]
    whole = "\n".join(text if text.endswith("\n") else f"{text}\n" for text in texts if text)
    # A half of a surrogate pair is not text.
    return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _text(node: Node) -> str:
    """Return the words of a text, or of a tree of elements with a line for each block."""
    if isinstance(node, Text) and not isinstance(node, XmlText):
        return node.plain
    lines: list[str] = []
    left: list[Node] = [*reversed(node.children)] if isinstance(node, Fragment) else [node]
    while left:
        block = left.pop()
        inner = _blocks(block)
        if inner is None:
            lines.append(unfold(block, _inline))
        else:
            left.extend(reversed(inner))
    return "\n".join(lines)


def _blocks(node: Node) -> list[Node] | None:
    """Return the blocks that a block is made of; None if it is a line.

    Nobody says which elements are blocks; but as in HTML, what stands beside words stands in a line.
    """
    words: type
    content: list[str | Node]
    if isinstance(node, XmlText):
        # A text in a text is a block of its own: Lexical has its paragraphs so.
        content, words = [run.content for run in node.runs], str
    elif isinstance(node, Element | Fragment):
        content, words = [*node.children], Text
    else:
        return []
    if any(isinstance(part, words) or _is_line_break(part) for part in content):
        return None
    return [part for part in content if isinstance(part, Element | Fragment | XmlText)] or None


def _inline(node: Node) -> Iterable[str | Node]:
    if _is_line_break(node):
        return ("\n",)
    if isinstance(node, XmlText):
        return (run.content for run in node.runs)
    if isinstance(node, Text):
        return (node.plain,)
    return node.children if isinstance(node, Element | Fragment) else ()


def _is_line_break(node: str | Node) -> bool:
    if isinstance(node, Element):
        name: Any = node.name
    elif isinstance(node, Map):
        kind = node.entries.get("__type")
        name = kind.data if isinstance(kind, Value) else None
    else:
        return False
    return isinstance(name, str) and name.lower().replace("_", "").replace("-", "") in _LINE_BREAKS


def _walk(roots: Iterable[Root]) -> Iterator[Node]:
    """Yield what stands in lists and maps, in their order, but not what is inside of texts and elements."""
    left: list[Node] = [node for root in roots for node in (root.entries, root.sequence) if node is not None]
    left.reverse()
    while left:
        node = left.pop()
        if isinstance(node, Map):
            left.extend(reversed([*node.entries.values()]))
        elif isinstance(node, Array):
            left.extend(reversed(node.items))
        else:
            yield node


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings in a value; it is at most 64 levels deep, so this may recurse."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
