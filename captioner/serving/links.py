"""Photos behind links, fetched without giving anybody a way into the network that one is in.

A name is resolved once, all its addresses have to be public ones, and the connection goes to the
very address that was looked at, so that a name that changes its mind in between (DNS rebinding)
gains nothing. Each redirect goes through the same.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import captioner
from captioner.serving.limits import RefusedError
from captioner.serving.photos import Photo

REDIRECTS = 5
"""Followed at most."""
CHUNK = 65536
Resolve = Callable[[str, int], list[str]]
"""Name and port -> addresses."""

_TRANSLATED = [
    ipaddress.ip_network(network)
    for network in (
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
    )
]
"""IPv6 addresses that stand for an IPv4 one, which might be any."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet: not private, loopback, link-local, ...

    >>> is_public("93.184.215.14"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.version == 6 and any(ip in network for network in _TRANSLATED):
        return False
    barred = ip.is_private or ip.is_multicast or ip.is_reserved or ip.is_link_local
    return ip.is_global and not barred


def fetch(
    url: str,
    most: int,
    seconds: float,
    resolve: Resolve = resolve,
    allowed: Callable[[str], bool] = is_public,
) -> Photo:
    """What a link leads to.

    Args:
        url: http or https.
        most: Bytes at most.
        seconds: For all of it, redirects included.
        resolve: Name and port -> addresses.
        allowed: Whether an address may be asked.

    Raises:
        RefusedError: 413 too large, 422 a link that is not followed, 502 nothing came of it,
            504 it took too long.
    """
    until = time.monotonic() + seconds
    for _ in range(REDIRECTS + 1):
        parts = _split(url)
        answer = _ask(parts, most, until, resolve, allowed)
        if isinstance(answer, bytes):
            name = PurePosixPath(unquote(parts.path)).name
            return Photo(name or parts.hostname or "photo", answer)
        url = urljoin(url, answer)
    raise RefusedError(502, "the link leads from one place to the next and never to a photo")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise RefusedError(422, "not a link; it has to begin with https:// or http://")
    if "@" in parts.netloc:
        raise RefusedError(422, "links with a user name or a password are not followed")
    return parts


def _ask(
    parts: SplitResult, most: int, until: float, resolve: Resolve, allowed: Callable[[str], bool]
) -> bytes | str:
    """What is there, or where one is sent on to."""
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    try:
        addresses = resolve(host, port)
    except (OSError, UnicodeError):
        addresses = []
    if not addresses:
        raise RefusedError(502, f"{host}: there is no such machine")
    if not all(allowed(address) for address in addresses):
        raise RefusedError(422, f"{host}: links into private networks are not followed")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (
        f"?{quote(parts.query, safe='/%:@!$&()*+,;=~?')}" if parts.query else ""
    )
    try:
        return _read(addresses[0], host, port, secure, path, most, until)
    except TimeoutError:
        raise RefusedError(504, f"{host}: took too long") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= until:
            raise RefusedError(504, f"{host}: took too long") from None
        raise RefusedError(
            502, f"{host}: could not be read ({error or type(error).__name__})"
        ) from None


def _read(
    address: str, host: str, port: int, secure: bool, path: str, most: int, until: float
) -> bytes | str:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection: http.client.HTTPConnection = kind(f"[{host}]" if ":" in host else host, port)
    connected = socket.create_connection((address, port), timeout=left)
    if secure:
        connected = ssl.create_default_context().wrap_socket(
            connected, server_hostname=host, do_handshake_on_connect=False
        )
    # A sender that trickles never runs into the time-out of the socket: this ends it all the same.
    alarm = threading.Timer(left, _cut, [connected])
    alarm.daemon = True
    try:
        alarm.start()
        if isinstance(connected, ssl.SSLSocket):
            connected.do_handshake()
        connection.sock = connected
        wanted = {"User-Agent": f"captioner/{captioner.__version__}", "Accept": "image/*"}
        connection.request("GET", path, headers=wanted)
        with connection.getresponse() as answer:
            if answer.status in (301, 302, 303, 307, 308) and answer.getheader("Location"):
                return str(answer.getheader("Location"))
            if answer.status != 200:
                raise RefusedError(502, f"{host}: answered {answer.status} {answer.reason}"[:200])
            data = bytearray()
            while chunk := answer.read(CHUNK):
                data += chunk
                if len(data) > most:
                    raise RefusedError(413, f"the photo has more than {most / 1e6:g} MB")
        if time.monotonic() >= until:  # cut by the alarm: not whole
            raise TimeoutError
        return bytes(data)
    finally:
        alarm.cancel()
        connection.close()
        connected.close()


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        # That of the plain socket: TLS would say goodbye first, and wait for an answer.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
