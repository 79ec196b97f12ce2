"""Updates that harm whoever reads them, and updates that only look like it, by name.

Not for: what is wrong with the messages around them (`test_hostile_input`).
"""

from __future__ import annotations

import json
import struct

from collab.core.values import ANY, BINARY, DELETED, DOCUMENT, EMBED, FORMAT, JSON, STRING, TYPE
from collab.core.wire import MAX_CLOCK, MAX_SAFE_INTEGER, var_bytes, var_string, var_uint
from tests.support.hostile import gap, garbage, item, text, typed, update


def content(kind: int, body: bytes) -> bytes:
    """Return an update with one element."""
    return update({5: (0, [item(kind, body)])})


def embed(json_text: str) -> bytes:
    return content(EMBED, var_string(json_text))


def value(body: bytes) -> bytes:
    return content(ANY, b"\x01" + body)


def document(options: bytes) -> bytes:
    return content(DOCUMENT, var_string("guid") + options)


HARMFUL: dict[str, bytes] = {
    "pycrdt panics on a list without values": bytes.fromhex("01010b112801016101000000"),
    "a text without length": content(STRING, var_string("")),
    "a deletion without length": content(DELETED, b"\x00"),
    "garbage without length": update({5: (0, [garbage(0)])}),
    "a gap without length": update({5: (0, [gap(0)])}),
    "a deleted range without length": b"\x00\x01\x05\x01\x03\x00",
    "a kind of content that nobody knows": content(11, b"\x01"),
    "garbage with the bits of an item": update({5: (0, [b"\x80\x05\x00\x01"])}),
    "a kind of parent that nobody knows": update({5: (0, [b"\x04\x02\x01t\x01x"])}),
    "a shared type that Yjs does not know": content(TYPE, b"\x07\x00"),
    "a shared type of which yrs reads no name": content(TYPE, b"\x05" + var_string("hook")),
    "a shared type in more bytes than one": content(TYPE, b"\x81\x00"),
    "values of which yrs reads one too many": content(JSON, b"\x01" + var_string("1")),
    "a value that nobody knows": value(b"\x73"),
    "a value nested 65 deep": value(b"\x75\x01" * 64 + b"\x75\x00"),
    "a value nested 30,000 deep": value(b"\x75\x01" * 30_000 + b"\x7e"),
    "objects nested 65 deep": value(b"\x76\x01\x01k" * 64 + b"\x76\x00"),
    "an integer of more than 53 bits": value(b"\x7d" + b"\xff" * 8 + b"\x7f"),
    "an embed that is not JSON": embed("{"),
    "an embed that is undefined": embed("undefined"),
    "a number that JavaScript has no word for": embed("NaN"),
    "a number that is none": embed("1e400"),
    "an integer on which yrs fails": embed(str(2**63)),
    "an integer of 5,000 digits": embed("1" * 5000),
    "half an emoji, escaped": embed('"\\ud83d"'),
    "the other half": embed('"\\ude00"'),
    "half an emoji behind the same key": embed('{"a":"\\ud83d","a":1}'),
    "half an emoji in a key": embed('{"\\ud83d":1}'),
    "JSON nested 65 deep": embed("[" * 65 + "]" * 65),
    "JSON nested 20,000 deep": embed("[" * 20_000 + "]" * 20_000),
    "a format that is not JSON": content(FORMAT, var_string("bold") + var_string("yes")),
    "a subdocument whose options are a list": document(b"\x75\x00"),
    "a subdocument that names itself twice": document(b"\x76\x01\x04guid\x7e"),
    "options nested 65 deep": document(b"\x76\x01\x01k" * 64 + b"\x76\x00"),
    "half an emoji": content(STRING, b"\x03\xed\xa0\xbd"),
    "a root that is not UTF-8": update({5: (0, [b"\x04\x01\x01\xff\x01x"])}),
    "a client that stands twice": b"\x02" + (b"\x01\x05\x00" + garbage(1)) * 2 + b"\x00",
    "a client behind a lower one": update({5: (0, [garbage(1)]), 6: (0, [garbage(1)])}),
    "a reference to itself": update({5: (3, [text("x", left=(5, 3))])}),
    "a reference to its own future": update({5: (0, [text("x", left=(5, 1)), text("y", root="t")])}),
    "a parent in its own future": update({5: (0, [text("x", inside=(5, 7))])}),
    "a right neighbour in its own future": update({5: (4, [text("x", right=(5, 9))])}),
    "an element between another and itself": update({5: (9, [text("x", left=(6, 1), right=(6, 1))])}),
    "two that are inside of each other": update(
        {6: (0, [text("y", inside=(5, 0))]), 5: (0, [text("x", inside=(6, 0))])}
    ),
    "three in a circle": update({c: (0, [text("x", left=((c - 4) % 3 + 5, 0))]) for c in (7, 6, 5)}),
    "a clock of 32 bits": update({5: (MAX_CLOCK, [garbage(1)])}),
    "a length of 31 bits": update({5: (1, [garbage(MAX_CLOCK)])}),
    "a reference of 32 bits": update({5: (0, [text("x", left=(6, MAX_CLOCK))])}),
    "a deleted range up to 2^31": b"\x00\x01\x05\x01\x00" + var_uint(MAX_CLOCK + 1),
    "deleted ranges that overlap": b"\x00\x01\x05\x02\x00\x02\x01\x02",
    "deleted ranges out of order": b"\x00\x01\x05\x02\x05\x01\x00\x01",
    "a client that stands twice in the delete set": b"\x00\x02" + b"\x05\x01\x00\x01" * 2,
    "a client id of 54 bits": b"\x01\x01\xff\xff\xff\xff\xff\xff\xff\x1f\x00\x00\x01\x00",
    "a client for each byte": var_uint(40) + b"\x01\x05\x00",
    "a struct for each byte": b"\x01" + var_uint(40) + b"\x05\x00\x00\x01",
    "something left over": typed(5, 0, "x") + b"\x00",
    "nothing": b"",
    "half of it": typed(5, 0, "hello")[:-3],
}


HARMLESS: dict[str, bytes] = {
    "a value nested 64 deep": value(b"\x75\x01" * 63 + b"\x75\x00"),
    "JSON nested 64 deep": embed("[" * 64 + "]" * 64),
    "many brackets in a string": embed(json.dumps("[" * 1000)),
    "an emoji, escaped": embed('"\\ud83d\\ude00"'),
    "a backslash before a u": embed('"\\\\ud83d"'),
    "the largest integer of yrs": embed(str(2**63 - 1)),
    "an integer beyond those on which yrs fails": embed(str(2**64)),
    "the smallest integers": embed(f"[{-(2**63)}, {-(2**63) - 1}, -0]"),
    "a number that is nearly nothing": embed("1e-400"),
    "spaces in JSON": embed(" [ 1 ,\t2 ]\n"),
    "a subdocument with options": document(b"\x76\x01\x08autoLoad\x78"),
    "every kind of value": value(
        b"\x75\x0d\x7f\x7e\x7d\x05\x7d\xff\xff\xff\xff\x0f"
        + b"\x7c"
        + struct.pack(">f", 1.5)
        + b"\x7b"
        + struct.pack(">d", 1e300)
        + b"\x7a"
        + struct.pack(">q", -(2**53) - 1)
        + b"\x79\x78\x77\x02\xc3\xa9\x76\x01\x00\x7e\x74\x01\xff\x75\x00"
    ),
    "the largest clock": update({5: (MAX_CLOCK - 1, [garbage(1)])}),
    "the largest client": typed(MAX_SAFE_INTEGER, 0, "x"),
    "binary content": content(BINARY, var_bytes(b"")),
    "no structs": b"\x01\x00\x05\x00\x00",
    "nothing deleted of a client": b"\x00\x01\x05\x00",
}
