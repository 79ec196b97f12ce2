"""Real people's editing traces, typed again by clients of a real server.

Each agent of a trace is one client. When it makes an edit it has seen exactly what the trace says
its author had seen: what else has arrived by then is held back. Not for: timing; it types as fast
as it can.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pycrdt import Text

from tests.support.traces import Edit, Patch, Trace
from tests.support.websocket_peer import WebsocketPeer

Version = Mapping[int, int]
"""Agent to the number of its edits that were seen."""


@dataclass
class Typist:
    """One agent at its client."""

    peer: WebsocketPeer
    sent: list[bytes] = field(default_factory=list)
    """Its edits, one update each; empty if one changed nothing."""
    _text: str | None = None
    """What its document says, None if it must be asked."""

    async def type(self, patches: Iterable[Patch]) -> None:
        """Make one edit and send it."""
        updates = self.peer.write(lambda: self._apply(patches))
        self.sent.append(updates[0] if updates else b"")
        await self.peer.send(updates)

    def see(self, upto: int) -> None:
        """Catch up with the first `upto` updates that arrived."""
        if upto > self.peer.seen:
            self.peer.catch_up(upto)
            self._text = None

    def _apply(self, patches: Iterable[Patch]) -> None:
        root = self.peer.doc.get("text", type=Text)
        text = str(root) if self._text is None else self._text
        for position, deleted, inserted in patches:
            # pycrdt counts UTF-8 bytes (hazards P12).
            start = len(text[:position].encode())
            if deleted:
                del root[start : start + len(text[position : position + deleted].encode())]
            if inserted:
                root.insert(start, inserted)
            text = text[:position] + inserted + text[position + deleted :]
        self._text = text


class Replay:
    """A trace in the hands of its typists."""

    def __init__(self, trace: Trace, peers: Sequence[WebsocketPeer]) -> None:
        """Prepare the replay; peer number n is agent n, and must hold back what it gets."""
        self.typists = [Typist(peer) for peer in peers]
        steps = list(zip(trace.edits, versions(trace.edits), strict=True))
        self._steps = iter(steps)
        # Nobody may send more before the others have what one of them has to see next. Otherwise the
        # server may put both into one frame, which can't be taken apart again.
        self._barriers: dict[int, set[int]] = defaultdict(set)
        for edit, seen in steps:
            for agent, count in seen.items():
                if agent != edit.agent:
                    self._barriers[agent].add(count)
        self._arrived: dict[tuple[int, int, int], int] = {}
        """How much had arrived at one agent when it had so many edits of another."""

    @property
    def sent(self) -> list[bytes]:
        """Every update that was sent."""
        return [update for typist in self.typists for update in typist.sent if update]

    async def type(self, edits: int | None = None) -> None:
        """Make the next `edits` edits of the trace, by default all that are left."""
        for edit, seen in islice(self._steps, edits):
            typist = self.typists[edit.agent]
            for agent, count in seen.items():
                if agent != edit.agent:
                    typist.see(self._arrived[edit.agent, agent, count])
            await typist.type(edit.patches)
            if len(typist.sent) in self._barriers[edit.agent]:
                await self._wait_for(edit.agent)

    async def finish(self, text: str) -> None:
        """Let everybody see everything, and wait until all say `text`."""
        for typist in self.typists:
            typist.peer.hold_back = False
            typist.see(len(typist.peer.arrived))
            await typist.peer.wait_for_text(text)

    async def _wait_for(self, author: int) -> None:
        """Wait until everybody else has what `author` sent last, and note how much had arrived there."""
        last = next((update for update in reversed(self.typists[author].sent) if update), None)
        for agent, typist in enumerate(self.typists):
            if agent == author:
                continue
            if last is not None:
                await typist.peer.wait_for_update(last)
            self._arrived[agent, author, len(self.typists[author].sent)] = len(typist.peer.arrived)


def versions(edits: Sequence[Edit]) -> list[Version]:
    """Return for each edit what its author had seen. Authors have always seen their own edits."""
    seen: list[Counter[int]] = []
    made: Counter[int] = Counter()
    for edit in edits:
        version: Counter[int] = Counter()
        for parent in edit.parents:
            version |= seen[parent] | Counter({edits[parent].agent: seen[parent][edits[parent].agent] + 1})
        assert version[edit.agent] == made[edit.agent], "an author who forgot"
        made[edit.agent] += 1
        seen.append(version)
    return list(seen)
