"""What Prometheus is told: requests, how long they took, batches, versions.

With several workers each counts for itself and says which it is.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 10_000)


class Counters:
    """The counts of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "penstock_requests",
            "Predictions asked for, by HTTP status.",
            ["model", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "penstock_request_seconds",
            "From the whole request to the answer.",
            ["model"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.rows = Histogram(
            "penstock_batch_rows",
            "Rows that were computed together, as each request saw it.",
            ["model"],
            buckets=ROWS,
            registry=self._registry,
        )
        self.version = Gauge(
            "penstock_model_version",
            "The version that answers.",
            ["model"],
            registry=self._registry,
        )
        process = Gauge("penstock_worker", "This process.", ["pid"], registry=self._registry)
        process.labels(str(os.getpid())).set(1)

    def text(self) -> bytes:
        """All of them, in the text format of Prometheus."""
        return generate_latest(self._registry)
