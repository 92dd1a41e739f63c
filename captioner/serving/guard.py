"""Who may ask, and what a browser may do with the answer.

A server on one's own machine is within reach of every website that one visits: by requests from
its pages, and by names of its own that it lets lead to 127.0.0.1 (DNS rebinding). So a request has
to name this machine as its host, and one that changes things or takes work must not come from
another website's page.
"""

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses requests by their Host and their origin; adds headers to all answers.

    Args:
        app: What is guarded.
        host: Address or name that the server listens on.
        names: Further names under which it may be asked for.
    """

    def __init__(self, app: ASGIApp, host: str, names: Sequence[str] = ()) -> None:
        self.app = app
        self.loopback = is_loopback(host)
        own = () if self.loopback else (host, socket.gethostname())
        self.names = {name.lower() for name in ("localhost", *own, *names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, or answer 403."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        problem = self.problem(scope["method"], Headers(scope=scope))
        if problem:
            refusal = JSONResponse({"error": {"status": 403, "message": problem}}, 403)
            await refusal(scope, receive, send_guarded)
        else:
            await self.app(scope, receive, send_guarded)

    def problem(self, method: str, headers: Headers) -> str | None:
        """Why a request is refused, if it is."""
        host = headers.get("host", "")
        if not self.knows(host):
            return (
                f"this server is not {host!r}; if it is meant to be, start it with "
                f"--names {hostname(host) or 'NAME'}"
            )
        if method in ("GET", "HEAD", "OPTIONS"):
            return None
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") or (origin and urlsplit(origin).netloc != host):
            return "requests from pages of other websites are refused"
        return None

    def knows(self, host: str) -> bool:
        """Whether a Host header names this machine.

        A plain address cannot be rebound, so that it is let through where the server does not
        listen on the loopback address alone.
        """
        name = hostname(host)
        if name in self.names or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self.loopback


def hostname(host: str) -> str:
    """A Host header without its port, in small letters; empty where it makes no sense.

    >>> hostname("LocalHost:8000"), hostname("[::1]:8000"), hostname("a b")
    ('localhost', '::1', '')
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return "" if set(name) & set(" @/\\") else name.rstrip(".")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
