"""The server put together: settings, store, journal, hub and routes, as one object to serve or to embed.

Not for: what any of them does. `Collab` is embedded in a FastAPI application of somebody else:

    collab = Collab(Settings(...), authenticator=...)
    app = FastAPI(lifespan=collab.lifespan)
    app.include_router(collab.router, prefix="/collab")
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.routing import WebSocketRoute

from collab.auth.base import AnonymousAuthenticator, Authenticator
from collab.auth.jwks import PublicKeys
from collab.auth.origins import Origins
from collab.auth.secret import Secret
from collab.auth.tokens import TokenAuthenticator, Tokens
from collab.budgets import Accounts, ConnectionLimits, Places, Rate, WorkLimits
from collab.core.awareness import AwarenessLimits
from collab.core.connection import Access, RoomLimits
from collab.core.waiting import WaitingLimits
from collab.errors import ConfigurationError, UnavailableError
from collab.http import documents, metrics, operations, page, reference, sharing
from collab.http.dependencies import Services
from collab.hub import Hub, HubLimits
from collab.names import document_id
from collab.permissions import Permissions
from collab.relay.null import NullRelay
from collab.sandbox import Sandbox
from collab.settings import Anonymous, Settings
from collab.stateless import StatelessHandler
from collab.store.compaction import CompactedStore, CompactionPolicy, Compactor
from collab.store.journal import GroupCommitJournal
from collab.store.memory import MemoryStore
from collab.store.sql import SqlStore
from collab.transport.hocuspocus import AnteroomLimits, HocuspocusRoute
from collab.transport.rota import Rota
from collab.transport.y_websocket import YWebsocketRoute


class Collab:
    """One server: `router` has its routes, `lifespan` starts and stops it."""

    def __init__(
        self,
        settings: Settings | None = None,
        authenticator: Authenticator | None = None,
        stateless: StatelessHandler | None = None,
    ) -> None:
        """Use these settings, let `authenticator` decide who comes in, and `stateless` hear what clients say to it.

        Raises:
            ConfigurationError: settings that contradict each other.
        """
        self.settings = settings or Settings()
        _check(self.settings)
        tokens, self._anybody = None, None
        if authenticator is None:
            tokens, self._anybody = _tokens(self.settings), anonymous(self.settings.anonymous)
            authenticator = TokenAuthenticator(tokens, self._anybody, names=self.settings.presence_names)
        self._authenticator = authenticator
        self._stateless = stateless
        self._services: Services | None = None
        self._turns: Rota | None = None
        self.router = APIRouter()
        self.router.include_router(operations.router(self.services))
        self.router.include_router(metrics.router(self.services))
        self.router.include_router(documents.router(self.services))
        self.router.include_router(sharing.router(self.services))
        self.router.routes.append(WebSocketRoute("/ws/{document:path}", YWebsocketRoute(self.services, self._rota)))
        shared = HocuspocusRoute(self.services, self._rota, _anteroom(self.settings))
        self.router.routes.append(WebSocketRoute("/hocuspocus", shared))
        self.router.include_router(reference.router(self.router))
        self.router.include_router(page.router(tokens, self.settings.frame_ancestors))

    def services(self) -> Services:
        """Return the running parts.

        Raises:
            UnavailableError: the server has not started, or has stopped.
        """
        if self._services is None:
            raise UnavailableError("the server is starting or stopping")
        return self._services

    def say(self, document: str, words: str) -> None:
        """Say something to every client that has a document open, as far as its protocol has words for it.

        Hocuspocus' providers get it as a "stateless" message; call it in the server's event loop.

        Raises:
            UnavailableError: the server has not started, or has stopped.
            DocumentNameError, TooLargeError: no document can be called so.
        """
        room = self.services().hub.rooms.get(document_id(document))
        if room is not None:
            room.say(words, room.connections)

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Run the server; everything that was taken is on disk when this ends.

        Raises:
            StartupError: the database cannot be used; the message says why.
        """
        async with AsyncExitStack() as stack:
            store = await open_store(self.settings)
            stack.push_async_callback(store.close)
            self._services = self._assemble(store)
            await self._services.permissions.load()
            self._turns = Rota(asyncio.get_running_loop())
            await stack.enter_async_context(self._services.hub.running())
            try:
                yield
            finally:
                self._services = None

    def _rota(self) -> Rota:
        """Return whose turn it is on this loop; there while `services` are."""
        assert self._turns is not None
        return self._turns

    def _assemble(self, store: CompactedStore) -> Services:
        settings = self.settings
        sandbox = Sandbox()
        # Of their own: whoever keeps them busy keeps nobody from compacting or exporting.
        trials = Sandbox(seconds=5)
        policy = CompactionPolicy(
            settings.compact_rows, settings.compact_interval_seconds, settings.history, settings.history_days
        )
        compactor = Compactor(store, sandbox, time.monotonic, policy)
        journal = GroupCommitJournal(
            store,
            interval_seconds=settings.journal_interval_seconds,
            max_bytes=settings.journal_max_bytes,
            on_commit=compactor.grew,
        )
        limits = HubLimits(
            linger_seconds=settings.linger_seconds,
            drain_seconds=settings.drain_seconds,
            create_on_open=settings.create_on_open,
            work=WorkLimits(
                Rate(settings.work_bytes_per_second, settings.work_bytes_at_once),
                Rate(settings.work_structs_per_second, settings.work_structs_at_once),
            ),
            room=RoomLimits(
                document_bytes=settings.max_document_bytes,
                lag_seconds=settings.lag_limit_seconds,
                awareness=AwarenessLimits(
                    settings.max_awareness_bytes,
                    settings.max_awareness_clients_connection,
                    settings.max_awareness_clients_document,
                ),
            ),
            waiting=WaitingLimits(settings.waiting_updates, settings.waiting_bytes),
        )
        hub = Hub(store, journal, NullRelay(), compactor, trials, limits, self._stateless)
        places = Places(
            ConnectionLimits(
                settings.max_connections_address,
                settings.max_connections_principal,
                settings.max_connections_document,
            )
        )
        rate = Rate(settings.requests_per_second, settings.requests_at_once)
        requests = Accounts("requests of one address", rate, "requests", time.monotonic)
        permissions = Permissions(self._authenticator, store.rights, self._anybody, owners=settings.owners)
        origins = Origins(settings.other_origins)
        return Services(
            store, journal, hub, sandbox, permissions, trials, settings.max_message_bytes, places, requests, origins
        )


def create_app(
    settings: Settings | None = None,
    authenticator: Authenticator | None = None,
    stateless: StatelessHandler | None = None,
) -> FastAPI:
    """Return a complete application: the API, the sockets, and the page."""
    collab = Collab(settings, authenticator, stateless)
    app = FastAPI(lifespan=collab.lifespan, openapi_url=None)
    app.state.collab = collab
    app.include_router(collab.router)
    app.add_exception_handler(404, page.unknown_in_application)
    return app


def anonymous(access: Anonymous) -> Authenticator:
    """Return what lets everybody do the same, or nobody anything."""
    return AnonymousAuthenticator(None if access is Anonymous.NONE else Access(access.value))


async def open_store(settings: Settings) -> CompactedStore:
    """Return the store that the settings name, ready for use.

    Raises:
        StartupError: it cannot be used; the message says why.
    """
    if settings.database_url == "memory://":
        return MemoryStore()
    return await SqlStore.open(
        settings.database_url, processes=settings.workers, allow_unsafe_commits=settings.allow_unsafe_commits
    )


def _anteroom(settings: Settings) -> AnteroomLimits:
    return AnteroomLimits(
        seconds=settings.sign_in_seconds,
        idle_seconds=settings.socket_idle_seconds,
        held_bytes=settings.sign_in_bytes,
        held_messages=settings.sign_in_messages,
        process_bytes=settings.sign_in_total_bytes,
        documents=settings.socket_documents,
        signings=Rate(settings.sign_ins_per_second, settings.sign_ins_at_once),
    )


def _check(settings: Settings) -> None:
    if settings.redis is not None or settings.workers > 1:
        raise ConfigurationError("this release runs as one process, without Redis: leave out --workers and --redis")


def _tokens(settings: Settings) -> Tokens:
    secret = Secret(settings.given_secret, settings.data)
    # If there is one: better to hear now than from whoever comes with a token that it cannot be read.
    secret.find()
    keys = None if settings.jwks_url is None else PublicKeys(settings.jwks_url)
    return Tokens(secret.find, keys, audience=settings.jwks_audience, issuer=settings.jwks_issuer)
