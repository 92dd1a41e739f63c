"""A server in a thread, and a client that speaks plain HTTP to it."""

import http.client
import io
import json
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from captioner.serving.desk import Service
from captioner.serving.server import Server, listen

File = tuple[str, bytes]


def picture(
    seed: int = 0, form: str = "JPEG", size: tuple[int, int] = (60, 40), **how: Any
) -> bytes:
    """The bytes of a file with coloured noise."""
    noise = np.random.default_rng(seed).integers(0, 255, (6, 9, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize(size).save(file, form, **how)
    return file.getvalue()


def form(images: Sequence[File] = (), **fields: Any) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a multipart form."""
    mark = uuid.uuid4().hex
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{one}\r\n'.encode()
        for name, value in fields.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    for name, data in images:
        head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        parts += [head.encode(), b"Content-Type: image/jpeg\r\n\r\n", data, b"\r\n"]
    body = b"".join([*parts, f"--{mark}--\r\n".encode()])
    return body, {"Content-Type": f"multipart/form-data; boundary={mark}"}


@dataclass
class Answered:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return self.json["error"]["message"]


@dataclass
class Client:
    """Asks a server."""

    port: int

    def request(self, method: str, path: str, body: Any = None, headers: Any = None) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answered:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, images: Sequence[File] = (), **fields: Any) -> Answered:
        return self.request("POST", path, *form(images, **fields))

    def caption(self, *images: bytes, **fields: Any) -> Answered:
        named = [(f"{number}.jpg", data) for number, data in enumerate(images)]
        return self.post("/caption", named, **fields)

    @property
    def waiting(self) -> int:
        return self.get("/health").json["waiting"]


@contextmanager
def running(service: Service) -> Iterator[Client]:
    """A server on a free port, which is stopped in the end."""
    listening = listen("127.0.0.1", 0)
    server = Server(service)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    until(lambda: server.started)
    try:
        yield Client(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
        service.batcher.close()
        service.batcher.join(5)
        assert not thread.is_alive()


def until(true: Any, seconds: float = 10) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
