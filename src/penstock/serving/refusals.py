"""What is not answered, and why: an HTTP status with a reason."""


class Refusal(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        reason: a line for the person who asked.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
