"""The server: it takes a port, tells where it is, and ends when it is asked to."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from captioner.errors import InputError
from captioner.serving.app import make_app
from captioner.serving.desk import Service

LAST_SECONDS = 2
"""For answers that are on their way when the server is stopped."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        InputError: if there is no such address here, or the port is taken.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"--port {port}: choose one from 1 to 65535, or 0 for any that is free")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise InputError(
            f"--host {host}: no such address; 127.0.0.1 is this machine alone, 0.0.0.0 is open to "
            "its network"
        ) from None
    # asyncio sends without delay (TCP_NODELAY) where the protocol is named, and only there.
    listening = socket.socket(family, kind, protocol)
    try:
        if hasattr(signal, "SIGHUP"):  # on Windows it would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise InputError(
            f"--host {host} --port {port}: cannot be listened on ({error.strerror or error}); "
            "choose another port, or 0 for any that is free"
        ) from None
    return listening


def address_of(listening: socket.socket) -> str:
    """What to open in a browser."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def protocol(seconds: float) -> type[H11Protocol]:
    """HTTP as of uvicorn, which for itself would wait for ever for the first lines of a request.

    Args:
        seconds: Until a connection without a request is closed.
    """

    class Impatient(H11Protocol):
        _patience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._look_at_the_clock()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look_at_the_clock()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._look_at_the_clock()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._patience:
                self._patience.cancel()

        def _look_at_the_clock(self) -> None:
            waiting = self.cycle is None or self.cycle.response_complete
            if waiting and not self._patience:
                self._patience = self.loop.call_later(seconds, self.transport.close)
            elif self._patience and not waiting:
                self._patience.cancel()
                self._patience = None

    return Impatient


class Server(uvicorn.Server):
    """Serves until Ctrl-C or SIGTERM; what waits then is refused at once.

    Args:
        service: What is served.
        started: Called when it is ready.
    """

    def __init__(self, service: Service, started: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                make_app(service),
                http=protocol(service.limits.timeout),
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_keep_alive=15,
                timeout_graceful_shutdown=LAST_SECONDS,
            )
        )
        # It warns of every form that is none; who sent it is told.
        logging.getLogger("python_multipart").setLevel(logging.ERROR)
        self._service = service
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As of uvicorn, and tell that it is ready."""
        await super().startup(sockets)
        if self.started:
            self._tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As of uvicorn, without waiting for captions that are not there yet."""
        self._service.batcher.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to stop; a second one does not wait for anything."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


def serve(service: Service, listening: socket.socket, started: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        service: What is served.
        listening: Where.
        started: Called when it is ready.
    """
    try:
        Server(service, started).run(sockets=[listening])
    finally:
        listening.close()
        service.batcher.close()
        service.batcher.join(1.0)
