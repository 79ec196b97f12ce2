"""What the server tells Prometheus: counted elsewhere, gathered here when somebody asks.

Every series begins with `collab_`; docs/reference/metrics.md lists them. Not for: counting.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from collab.errors import UnavailableError
from collab.http.dependencies import Running, Services
from collab.http.routes import Route
from collab.measures import Distribution


def router(running: Running) -> APIRouter:
    """Return the route of the metrics."""
    routes = APIRouter(tags=["operations"], route_class=Route)
    registry = CollectorRegistry()
    registry.register(ServerMetrics(running))
    # Its own memory, CPU and file descriptors, in the names that every dashboard knows.
    ProcessCollector(registry=registry)

    @routes.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes


class ServerMetrics(Collector):
    """The figures of one running server; none while it starts or stops."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def describe(self) -> list[Metric]:
        """Say nothing: registering would otherwise ask for the figures of a server that has not started."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            services = self._running()
        except UnavailableError:
            return
        yield from _rooms(services)
        yield from _journal(services)


def _rooms(services: Services) -> Iterator[Metric]:
    rooms = services.hub.rooms.values()
    yield GaugeMetricFamily("collab_rooms", "Documents that are open", len(rooms))
    yield GaugeMetricFamily("collab_connections", "Sockets in them", sum(len(room.connections) for room in rooms))


def _journal(services: Services) -> Iterator[Metric]:
    journal = services.journal
    yield _histogram("collab_saved_seconds", "From when an edit was received until it is on disk", journal.saved)
    yield _histogram("collab_commit_seconds", "How long transactions of the log took", journal.commits)
    yield CounterMetricFamily("collab_log_rows", "Rows written to the log", journal.rows_written)
    yield GaugeMetricFamily("collab_journal_bytes", "What waits to be written", journal.pending_bytes)
    yield GaugeMetricFamily("collab_journal_failing", "1 while the log cannot be written", journal.problem is not None)


def _histogram(name: str, help: str, distribution: Distribution) -> Metric:
    return HistogramMetricFamily(name, help, buckets=distribution.cumulative(), sum_value=distribution.sum)
