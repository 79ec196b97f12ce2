"""What real people typed, typed again through a real server: every peer ends with their text."""

import asyncio
from contextlib import AsyncExitStack

from collab.core.merging import merge
from tests.support.database import stored, wait_until_stored
from tests.support.replay import Replay
from tests.support.server import Server
from tests.support.traces import Trace, Traces
from tests.support.view import text_of
from tests.support.websocket_peer import WebsocketPeer


async def test_two_people_write_one_text_at_the_same_time(server: Server, traces: Traces) -> None:
    """26,078 edits, each made by somebody who has seen exactly what its author had; late joiners come and go."""
    trace = traces.load("friendsforever")

    await type_again(server, "friends forever", trace, agents=2)

    await crash_and_read(server, "friends forever", trace.end_content)


async def test_one_person_writes_a_program(server: Server, traces: Traces) -> None:
    """36,981 edits with several cursors; readers join at the beginning, half-way and at the end."""
    trace = traces.load("rustcode")

    async with WebsocketPeer.connected(server.ws_url, "code/rust", 20) as reader:
        await type_again(server, "code/rust", trace, agents=1)
        await reader.wait_for_text(trace.end_content)

    await crash_and_read(server, "code/rust", trace.end_content)


async def type_again(server: Server, document: str, trace: Trace, *, agents: int) -> None:
    """Type a trace into a document until it is stored.

    Its agents, a reader who joins half-way and one who joins at the end must all have its text.
    """
    async with AsyncExitStack() as stack:

        async def come(client_id: int, *, hold_back: bool = False) -> WebsocketPeer:
            peer = WebsocketPeer.connected(server.ws_url, document, client_id, hold_back=hold_back)
            return await stack.enter_async_context(peer)

        replay = Replay(trace, [await come(10 + agent, hold_back=True) for agent in range(agents)])
        await replay.type(len(trace.edits) // 2)
        halfway = await come(30)
        await replay.type()

        await replay.finish(trace.end_content)
        await halfway.wait_for_text(trace.end_content)
        late = await come(31)
        assert late.text == trace.end_content
        await wait_until_stored(server.database, document, merge(replay.sent))


async def crash_and_read(server: Server, document: str, text: str) -> None:
    """Kill the server; what its disk holds, and who comes after its restart, must say `text`."""
    await asyncio.to_thread(server.kill)
    assert text_of(stored(server.database, document)) == text

    await asyncio.to_thread(server.start)
    async with WebsocketPeer.connected(server.ws_url, document, 99) as newcomer:
        assert newcomer.text == text
