"""Both transports, for every test of what a client sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from collab.transport.direct import DirectProtocol
from tests.support.served import Served, serving


@pytest.fixture(params=[DirectProtocol, "websockets-sansio"], ids=["direct", "asgi"])
def ws(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def served(ws: Any) -> AsyncIterator[Served]:
    async with serving(ws) as served:
        yield served
