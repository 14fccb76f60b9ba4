"""Who is answered, and how much they may send: around the application, before any of it runs."""

import asyncio
import hmac
import json
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from .limits import Limits
from .refusals import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = ("/health",)  # tells nothing of the project
COOKIE = "penstock"
# Pages take scripts, styles and data from this server only, and nobody shows them in a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"microphone=(self), camera=(), geolocation=()",
    b"cache-control": b"no-store",
}


class Guard:
    """Refuses requests of other hosts and pages, without the token, or that are too large."""

    def __init__(
        self, app: "ASGIApp", hosts: Iterable[str] | None, token: str | None, limits: Limits
    ) -> None:
        """Set up.

        Args:
            app: what is guarded.
            hosts: names that it answers to, without a port; None for any, where a token is asked
                for: a page with a name of its own for this machine does not have that.
            token: that every request must bring; None if none is asked for.
            limits: of sizes and times.
        """
        self.app = app
        self.hosts = None if hosts is None else set(hosts)
        self.token = token
        self.limits = limits
        self._held = 0

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # no web sockets here
            return await send({"type": "websocket.close", "code": 1008})
        sending = self._in_time(send)
        try:
            self._check(scope)
        except Refusal as refusal:
            return await refuse(refusal, sending)
        if self.token and (found := self._login(scope)):
            return await _log_in(found, sending)
        try:
            body = await self._read_body(scope, receive)
        except Refusal as refusal:
            return await refuse(refusal, sending)
        try:
            await self.app(scope, _with_body(body, receive), sending)
        finally:
            self._held -= len(body)

    def _check(self, scope: "Scope") -> None:
        headers = _headers(scope)
        host = headers.get("host", "")
        if self.hosts is not None and _without_port(host) not in self.hosts:
            raise Refusal(421, f"this server is called {' or '.join(sorted(self.hosts))}")
        if scope["method"] not in ("GET", "HEAD"):
            origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
            own = origin is None or origin in (f"http://{host}", f"https://{host}")
            if not own or site not in ("none", "same-origin"):
                raise Refusal(403, "from the page of another server: refused")
        if self.token and scope["path"] not in OPEN and not self._login(scope):
            wanted = self.token.encode()
            if not [it for it in _tokens(headers) if hmac.compare_digest(it, wanted)]:
                raise Refusal(401, "bring the token: Authorization: Bearer TOKEN, or /?token=TOKEN")

    def _login(self, scope: "Scope") -> str | None:
        """The token, where the start page is opened with it in its address."""
        if scope["path"] != "/" or scope["method"] != "GET" or not self.token:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return given if hmac.compare_digest(given.encode(), self.token.encode()) else None

    async def _read_body(self, scope: "Scope", receive: "Receive") -> bytes:
        """All of a body, if it is not too large and does not take too long."""
        limits, parts, size = self.limits, [], 0
        announced = _headers(scope).get("content-length", "0")
        if announced.isdigit() and int(announced[:20]) > limits.body:
            raise Refusal(413, f"{int(announced[:20]):,} bytes; at most {limits.body:,}")
        try:
            async with asyncio.timeout(limits.sending):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Refusal(400, "the client hung up")
                    part = message.get("body", b"")
                    size += len(part)
                    self._held += len(part)
                    parts.append(part)
                    if size > limits.body:
                        raise Refusal(413, f"more than {limits.body:,} bytes")
                    if self._held > limits.bodies:
                        raise Refusal(429, "too much is being sent at once; ask again later")
                    if not message.get("more_body"):
                        return b"".join(parts)
        except BaseException as error:
            self._held -= size
            if isinstance(error, TimeoutError):
                raise Refusal(408, f"not sent within {limits.sending:g} s") from None
            raise

    def _in_time(self, send: "Send") -> "Send":
        """Add the headers; hang up on a client that does not take its answer."""

        async def sending(message: "Message") -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                names = {name.lower() for name, _ in given}
                more = [(name, value) for name, value in HEADERS.items() if name not in names]
                message = {**message, "headers": given + more}
            async with asyncio.timeout(self.limits.sending):
                await send(message)

        return sending


async def refuse(refusal: Refusal, send: "Send") -> None:
    """Answer with a reason, and hang up: the rest of the request is not read."""
    content = json.dumps({"error": refusal.reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    if refusal.status == 429:
        headers.append((b"retry-after", b"1"))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _log_in(token: str, send: "Send") -> None:
    """Keep the token in a cookie, which no script can read and no other site's page sends."""
    cookie = f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"
    headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _with_body(body: bytes, receive: "Receive") -> "Receive":
    """What the application receives: the body at once, then whatever comes."""
    waiting = [body]

    async def received() -> "Message":
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return received


def _headers(scope: "Scope") -> dict[str, str]:
    return {key.decode("latin-1").lower(): it.decode("latin-1") for key, it in scope["headers"]}


def _without_port(host: str) -> str:
    return host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdigit() else host


def _tokens(headers: dict[str, str]) -> list[bytes]:
    """What a request brings as token."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    found = [bearer] if scheme.lower() == "bearer" else []
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        cookies = SimpleCookie()
    found += [cookies[COOKIE].value] if COOKIE in cookies else []
    return [it.encode() for it in found]
