"""Updates that nobody honest would send: written by hand, invented at random, or honest ones damaged; and their judge.

Not for: clients that misbehave on a socket (`tests/fuzz`). Whatever is random comes from one `random.Random`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

from collab.core.causality import Id
from collab.core.inspection import GC, SKIP, read
from collab.core.replica import Replica
from collab.core.values import ANY, BINARY, DELETED, DOCUMENT, EMBED, FORMAT, STRING, TYPE
from collab.core.wire import encode_delete_set, var_bytes, var_string, var_uint
from tests.support.node import Node

EXAMPLES: Final = pytest.mark.parametrize("examples", [100, pytest.param(10_000, marks=pytest.mark.long)])
"""On how many inputs a property is tried: few in the short suite, many in the long one."""

LEFT, RIGHT, KEYED = 0x80, 0x40, 0x20
"""Bits of an item's first byte: it names a left neighbour, a right one, its key."""

Ranges = Mapping[int, Iterable[tuple[int, int]]]


def for_all(examples: int, *strategies: SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
    """Run the decorated function at once, on so many inputs; they are always the same ones."""

    def run(check: Callable[..., None]) -> None:
        fixed = settings(max_examples=examples, derandomize=True, database=None, deadline=None)
        fixed(given(*strategies)(check))()

    return run


# ---- by hand ----


def update(structs: Mapping[int, tuple[int, Sequence[bytes]]], deletes: Ranges | None = None) -> bytes:
    """Return an update of these structs: for each client, in this order, its first clock and what follows."""
    parts = [var_uint(len(structs))]
    for client, (clock, items) in structs.items():
        parts += [var_uint(len(items)), var_uint(client), var_uint(clock), *items]
    return b"".join(parts) + encode_delete_set(deletes or {})


def item(
    content: int,
    body: bytes,
    *,
    left: Id | None = None,
    right: Id | None = None,
    root: str | None = None,
    inside: Id | None = None,
    key: str | None = None,
) -> bytes:
    """Return one item of an update. Name its neighbours, or else its root or the type that it is inside of."""
    first = content | (LEFT if left else 0) | (RIGHT if right else 0) | (KEYED if key is not None else 0)
    parts = [bytes((first,)), *(_id(id) for id in (left, right) if id)]
    if not left and not right:
        parts.append(b"\x00" + _id(inside) if inside else b"\x01" + var_string(root or "text"))
        if key is not None:
            parts.append(var_string(key))
    return b"".join([*parts, body])


def crowd(first: int, count: int, *items: bytes) -> bytes:
    """Return an update in which so many clients, from `first` on, all say the same."""
    return update(dict.fromkeys(range(first + count - 1, first - 1, -1), (0, items)))


def text(value: str, **where: Any) -> bytes:
    """Return an item of text; `where` as for `item`."""
    return item(STRING, var_string(value), **where)


def garbage(length: int) -> bytes:
    return bytes((GC,)) + var_uint(length)


def gap(length: int) -> bytes:
    return bytes((SKIP,)) + var_uint(length)


def typed(client: int, clock: int, value: str) -> bytes:
    """Return what somebody sends who goes on typing at the end of `text`."""
    where: Any = {"left": (client, clock - 1)} if clock else {"root": "text"}
    return update({client: (clock, [text(value, **where)])})


def _id(id: Id) -> bytes:
    return var_uint(id[0]) + var_uint(id[1])


# ---- invented ----


@dataclass
class Forger:
    """Invents well-formed updates on top of a document: everything in them is possible, little of it makes sense."""

    random: Random
    state: Mapping[int, int]
    types: Sequence[Id] = ()
    """The shared types of the document; without any, whatever is there may be taken for one."""
    wild: bool = True
    """Whether clocks that are known are written again, right neighbours named that may stand anywhere, and
    several elements put where a key has room for one."""
    texts: Sequence[str] = ("x", "é", "\n", "\0")

    def update(self) -> bytes:
        """Return structs of one to three clients, and now and then deletions."""
        choose = self.random
        ends = dict(self.state)
        structs: dict[int, tuple[int, list[bytes]]] = {}
        for client in choose.sample([*self.state, 71, 72, 2**40], k=choose.choice((1, 1, 1, 2, 3))):
            back = choose.choice((0, 0, 0, 0, 1, 2, 5)) if self.wild else 0
            clock = start = max(0, ends.get(client, 0) - back)
            items: list[bytes] = []
            for _ in range(choose.choice((1, 1, 2, 4))):
                made, length = self._struct(client, clock, ends)
                items.append(made)
                clock += length
                ends[client] = max(clock, ends.get(client, 0))
            structs[client] = start, items
        ordered = sorted(structs, reverse=choose.random() < 0.95)
        return update({c: structs[c] for c in ordered}, self._deletes(ends) if choose.random() < 0.4 else {})

    def _struct(self, client: int, clock: int, ends: Mapping[int, int]) -> tuple[bytes, int]:
        choose = self.random
        if choose.random() < 0.05:
            length = choose.randint(1, 5)
            return garbage(length), length
        content, body, length = self._content()
        return item(content, body, **self._where(client, clock, ends)), length

    def _where(self, client: int, clock: int, ends: Mapping[int, int]) -> dict[str, Any]:
        choose = self.random
        dice = choose.random()
        if dice < 0.2 or not any(ends.values()):
            where: dict[str, Any] = {"root": choose.choice(("text", "map", "array", "xml", ""))}
        elif dice < 0.5:
            where = {"inside": choose.choice(self.types or [self._known(client, clock, ends)])}
        elif dice < 0.7 or not self.wild:
            where = {"left": self._known(client, clock, ends)}
        else:
            where = {"right": self._known(client, clock, ends)}
            if dice < 0.9:
                where["left"] = self._known(client, clock, ends)
        if choose.random() < 0.25:
            where["key"] = choose.choice(("", "title", "a"))
        return where

    def _known(self, client: int, clock: int, ends: Mapping[int, int]) -> Id:
        if clock and self.random.random() < 0.3:
            return client, clock - 1
        here = {**ends, client: clock}
        other = self.random.choice([c for c, end in here.items() if end] or [client])
        return other, self.random.randrange(here[other] or 1)

    def _content(self) -> tuple[int, bytes, int]:
        choose = self.random
        value = choose.choice((*self.texts, "abc", "😀", "a😀b") if self.wild else self.texts)
        length = len(value.encode("utf-16-le")) // 2
        several = choose.randint(1, 3) if self.wild else 1
        kind = choose.choice((0, 1, 1, 3, 4, 6))
        options: list[tuple[int, bytes, int]] = [
            (STRING, var_string(value), length),
            (STRING, var_string(value), length),
            (STRING, var_string(value), length),
            (TYPE, bytes((kind,)) + (var_string("p") if kind == 3 else b""), 1),
            (TYPE, bytes((kind,)) + (var_string("p") if kind == 3 else b""), 1),
            (DELETED, var_uint(several), several),
            (BINARY, var_bytes(value.encode()), 1),
            (EMBED, var_string(json.dumps({"image": value})), 1),
            (FORMAT, var_string("bold") + var_string(choose.choice(("true", "null", '"x"'))), 1),
            (ANY, var_uint(several) + b"\x7e" * several, several),
            (DOCUMENT, var_string(value) + b"\x76\x00", 1),
        ]
        return choose.choice(options)

    def _deletes(self, ends: Mapping[int, int]) -> dict[int, list[tuple[int, int]]]:
        choose = self.random
        deletes: dict[int, list[tuple[int, int]]] = {}
        for client in choose.sample([c for c, end in ends.items() if end], k=1):
            for _ in range(choose.randint(1, 3)):
                start = choose.randrange(ends[client])
                deletes.setdefault(client, []).append((start, min(ends[client], start + choose.randint(1, 4))))
        return deletes


# ---- damaged ----


def damaged(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Return `data` with one to three things wrong with it."""
    for _ in range(random.choice((1, 1, 2, 3))):
        data = random.choice(_DAMAGES)(data or b"\x00", others, random)
    return data


def _flip(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << random.randrange(8),)) + data[at + 1 :]


def _truncate(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    return data[: random.randrange(len(data))]


def _insert(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.randbytes(random.randint(1, 3)) + data[at:]


def _cut(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + data[at + random.randint(1, 4) :]


def _splice(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    other = random.choice(others)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _repeat(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    start = random.randrange(len(data))
    stop = min(len(data), start + random.randint(1, 16))
    return data[:stop] + data[start:stop] + data[stop:]


def _number(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    """Put another number where one may stand: counts, clients, clocks, lengths."""
    at = random.randrange(len(data))
    number = random.choice((0, 1, 2, 3, 5, 10, 63, 64, 127, 128, 1000, 2**31 - 1, 2**31, 2**32, 2**53 - 1, 2**53))
    return data[:at] + var_uint(number) + data[at + 1 :]


def _nudge(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + bytes(((data[at] + random.choice((-2, -1, 1, 2))) % 256,)) + data[at + 1 :]


_DAMAGES: Final[tuple[Callable[[bytes, Sequence[bytes], Random], bytes], ...]] = (
    _flip,
    _truncate,
    _insert,
    _cut,
    _splice,
    _repeat,
    _number,
    _nudge,
    _nudge,
)


# ---- the judge ----


@dataclass(frozen=True)
class Case:
    """An update that came in on top of a document, and what this server makes of both."""

    base: Sequence[bytes]
    update: bytes
    state: bytes | None = None
    """What a late joiner is given."""
    big_integers: bool = False
    """Whether a BigInt is told from a number; yrs does not."""


class Judge:
    """Real Yjs in a process of its own, for updates that may hurt it. A context manager."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._process = node.start("judge.mjs")

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(self._process)

    def verdicts(self, cases: Sequence[Case]) -> list[dict[str, Any]]:
        """Return what is wrong with each of these, `{}` if nothing is (judge.mjs says what there is)."""
        asked = [
            {"base": [b.hex() for b in case.base], "update": case.update.hex(), "bigIntegers": case.big_integers}
            | ({} if case.state is None else {"state": case.state.hex()})
            for case in cases
        ]
        verdicts: list[dict[str, Any]] = self.ask("judge", cases=asked)
        return verdicts

    def updates(self) -> dict[str, list[bytes]]:
        """Return honest updates of every kind that Yjs makes, by name."""
        made: dict[str, list[str]] = self.ask("updates")
        return {name: [bytes.fromhex(line) for line in lines] for name, lines in made.items()}

    def decode(self, updates: Sequence[bytes]) -> list[dict[str, Any]]:
        """Return what Yjs reads in updates."""
        decoded: list[dict[str, Any]] = self.ask("decode", updates=[u.hex() for u in updates])
        return decoded

    def ask(self, command: str, **request: object) -> Any:
        """Run one command of judge.mjs."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        stdin.write(json.dumps({"command": command, **request}) + "\n")
        stdin.flush()
        reply: Mapping[str, Any] = json.loads(stdout.readline() or '{"error": "node is gone"}')
        assert "error" not in reply, f"{command}: {reply['error']}"
        return reply.get("result")

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> None:
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def replica_with(updates: Iterable[bytes]) -> Replica:
    """Return a document that these updates were let into."""
    replica = Replica()
    for one in updates:
        replica.admit(one, read(one))
    return replica
