"""What tests of hostile bytes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hostile import Judge
from tests.support.node import Node


@pytest.fixture(scope="session")
def judge(node: Node) -> Iterator[Judge]:
    """Real Yjs, which hostile updates may hurt."""
    with Judge(node) as judge:
        yield judge
