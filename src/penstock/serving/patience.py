"""How long a client may take to say what it wants: uvicorn itself would wait for ever."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 15.0  # seconds in which the head of a request must have come
LARGEST_HEAD = 32 * 1024  # bytes


class Patient(H11Protocol):
    """HTTP as uvicorn has it, with a limit on the time in which a request begins."""

    waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a head, or no longer."""
        if self.waiting is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()

    def on_response_complete(self) -> None:
        """Leave the time between two requests to uvicorn."""
        self._stop()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self.waiting = self.loop.call_later(HEAD, self.transport.abort)

    def _stop(self) -> None:
        if self.waiting:
            self.waiting.cancel()
            self.waiting = None
