"""What a document may be called.

Not for: where names stand in a URL; they come here decoded.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from collab.core.ports import DocumentId
from collab.errors import DocumentNameError, TooLargeError

MAX_NAME_BYTES: Final = 1024


def document_id(name: str) -> DocumentId:
    """Return a document's id, its name exactly as given: nothing is trimmed, folded or normalised.

    Raises:
        DocumentNameError: it is empty, or holds control characters or what is not a character.
        TooLargeError: it has more than 1,024 bytes in UTF-8.
    """
    if not name:
        raise DocumentNameError("a document needs a name")
    # Cc: control characters; Cs: halves of a surrogate pair. U+FFFD is what a server makes of bytes that are no UTF-8.
    if any(unicodedata.category(character) in ("Cc", "Cs") or character == "\ufffd" for character in name):
        raise DocumentNameError("a document's name holds control characters, or bytes that are not UTF-8")
    size = len(name.encode())
    if size > MAX_NAME_BYTES:
        raise TooLargeError("document name", size, MAX_NAME_BYTES)
    return DocumentId(name)
