"""Links are followed into the open internet alone, whatever a name or a redirect says."""

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from captioner.serving.limits import RefusedError
from captioner.serving.links import fetch, is_public, resolve

PHOTO = b"\xff\xd8\xff and so on"


class Site(http.server.BaseHTTPRequestHandler):
    """A website with a photo, redirects, and pages that misbehave."""

    def do_GET(self) -> None:
        self.server.asked.append((self.headers["Host"], self.path))  # type: ignore[attr-defined]
        redirects = {
            "/once": "/photo.jpg",
            "/loop": "/loop",
            "/inside": "http://127.0.0.1:1/secret",
            "/file": "file:///etc/passwd",
            "/elsewhere": "http://rebound.example/photo.jpg",
        }
        if self.path in redirects:
            self.send_response(302)
            self.send_header("Location", redirects[self.path])
            self.end_headers()
        elif self.path == "/missing":
            self.send_error(404)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(200):
                    self.wfile.write(b"x" * 10_000)
            except OSError:
                pass
        elif self.path == "/trickle":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
            except OSError:
                pass
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PHOTO)

    def log_message(self, *_: Any) -> None:
        """Nothing is noted."""


@pytest.fixture(scope="module")
def site() -> Iterator[Any]:
    with running() as server:
        yield server


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, True, do_handshake_on_connect=False)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def get(site: Any) -> Any:
    """Fetches from the site under the name example.com, as if its address were a public one."""
    site.asked.clear()
    asked = []

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if host == "example.com" else ["10.0.0.1"]

    def get(path: str, most: int = 1000, seconds: float = 5) -> Any:
        url = f"http://example.com:{site.server_address[1]}{path}"
        return fetch(url, most, seconds, look_up, lambda address: address == "127.0.0.1")

    get.asked = asked  # type: ignore[attr-defined]
    return get


def refused(status: int) -> Any:
    return pytest.raises(RefusedError, check=lambda error: error.status == status)


def test_a_photo_behind_a_link(site: Any, get: Any) -> None:
    photo = get("/a%20b/photo.jpg?size=1&more=ü")
    assert (photo.name, photo.data) == ("photo.jpg", PHOTO)
    assert site.asked == [
        (f"example.com:{site.server_address[1]}", "/a%20b/photo.jpg?size=1&more=%C3%BC")
    ]
    assert get("/once").data == PHOTO
    assert get("/").name == "example.com"


def test_a_website_has_to_prove_its_name(tmp_path: Path, monkeypatch) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    for issuer, name, good in (
        (authority, "example.com", True),
        (authority, "example.org", False),
        (stranger, "example.com", False),
    ):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(name).configure_cert(tls)
        with running(tls) as server:
            url = f"https://example.com:{server.server_address[1]}/photo.jpg"
            asked = (url, 1000, 5, lambda host, port: ["127.0.0.1"], lambda address: True)
            if good:
                assert fetch(*asked).data == PHOTO
            else:
                with refused(502) as error:
                    fetch(*asked)
                assert "certificate verify failed" in error.value.message
            assert [path for _, path in server.asked] == ["/photo.jpg"] * good


def test_redirects_are_looked_at_anew(site: Any, get: Any) -> None:
    for path in ("/inside", "/elsewhere"):
        with refused(422):
            get(path)
    with refused(422) as told:
        get("/file")
    assert "has to begin with https:// or http://" in str(told.value)
    with refused(502):
        get("/loop")
    assert len(site.asked) == 3 + 6


def test_bytes_and_time_are_limited(get: Any) -> None:
    with refused(413):
        get("/endless", most=50_000)
    began = time.monotonic()
    with refused(504):
        get("/trickle", seconds=0.5)
    assert time.monotonic() - began < 2
    with refused(502) as told:
        get("/missing")
    assert "answered 404" in str(told.value)


@pytest.mark.parametrize(
    "url",
    ["", "photo.jpg", "ftp://example.com/a", "file:///etc/passwd", "http://", "http://[::1",
     "http://me:secret@example.com/", "http://example.com:99999/", "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_link(url: str, monkeypatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    with refused(422) as told:
        fetch(url, 1000, 1, lambda host, port: ["93.184.215.14"])
    assert "link" in str(told.value)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0.0.0.0",
     "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
     "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]", "[ff02::1]",
     "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
     "240.0.0.1", "255.255.255.255", "198.18.0.1"],
)  # fmt: skip
def test_addresses_inside_are_not_asked(host: str, site: Any, monkeypatch) -> None:
    """By the system's own resolver, which reads numbers in many ways."""
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    with pytest.raises(RefusedError) as told:
        fetch(f"http://{host}:{site.server_address[1]}/photo.jpg", 1000, 5)
    assert told.value.status in (422, 502)  # or the system does not know such an address
    if told.value.status == 502:
        assert "there is no such machine" in str(told.value)


def test_public_addresses() -> None:
    public = ["93.184.215.14", "8.8.8.8", "2606:4700:4700::1111"]
    assert all(is_public(address) for address in public)
    assert not is_public("no address")
    assert not is_public("fe80::1%eth0")
    assert resolve("127.0.0.1", 80) == ["127.0.0.1"]


def test_one_address_inside_is_enough(monkeypatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    with refused(422) as told:
        fetch("http://example.com/", 9, 1, lambda host, port: ["93.184.215.14", "127.0.0.1"])
    assert "private networks" in str(told.value)


def test_the_address_that_was_looked_at_is_the_one_that_is_asked(site: Any, monkeypatch) -> None:
    """A name that leads elsewhere the second time gains nothing: there is no second time."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    connected = []
    real = socket.create_connection

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(address)
        return real(site.server_address, timeout)

    monkeypatch.setattr(socket, "create_connection", connect)
    assert fetch("http://rebound.example/", 1000, 5, lambda *_: next(answers)).data == PHOTO
    assert connected == [("93.184.215.14", 80)]


def test_no_such_machine() -> None:
    def fail(host: str, port: int) -> list[str]:
        raise socket.gaierror("unknown")

    with refused(502) as told:
        fetch("https://nowhere.example/", 1000, 1, fail)
    assert str(told.value) == "nowhere.example: there is no such machine"
    with refused(502) as told:
        fetch("http://closed.example:1/", 99, 1, lambda *_: ["127.0.0.1"], lambda _: True)
    assert str(told.value).startswith("closed.example: could not be read")
