"""How much one request, and all of them together, may take."""

from dataclasses import dataclass

MEGABYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What is refused, with a reason.

    Attributes:
        body: bytes of one request.
        bodies: bytes of all requests that are being read or answered.
        rows: of one request.
        seconds: from the arrival of a request's last byte to its answer.
        sending: seconds in which a client must have sent its request, or taken its answer.
        waiting: requests to one model that are waiting or being answered.
        batch: rows that are answered together.
        kept: answers of one pipeline that were marked as wrong.
    """

    body: int = 32 * MEGABYTE
    bodies: int = 256 * MEGABYTE
    rows: int = 10_000
    seconds: float = 30.0
    sending: float = 30.0
    waiting: int = 256
    batch: int = 256
    kept: int = 10_000
