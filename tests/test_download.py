"""Downloads against a local server that drops, cuts, stalls and refuses as it is told."""

import hashlib
import http.server
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from captioner.download import ConnectionFailedError, DiskError, Download, fetch, fetch_all
from captioner.errors import InputError

BODY = random.Random(0).randbytes(200_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; the next answers for a path follow `plans`, one word or status each."""

    request_queue_size = 64  # as many may knock at once; a refused knock costs a second

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.files: dict[str, bytes] = {"/file": BODY}
        self.plans: dict[str, list] = {}
        self.ranges = True
        self.retry_after: str | None = None
        self.asked: list[tuple[str, str | None]] = []
        self.stalling = self.most_stalling = 0
        self.lock = threading.Lock()

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the play."""


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        with server.lock:
            server.asked.append((self.path, self.headers.get("Range")))
        plan = server.plans.get(self.path)
        self.answer(plan.pop(0) if plan else "whole", server.files.get(self.path))

    def stall(self):
        server = self.server
        with server.lock:
            server.stalling += 1
            server.most_stalling = max(server.most_stalling, server.stalling)
        time.sleep(0.4)
        with server.lock:
            server.stalling -= 1

    def answer(self, plan, body):
        if plan == "hang up":
            return
        if plan == "redirect":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
            return
        if plan == "stall":
            # Counted before anything is sent: whoever has its answer may well ask again before
            # this thread comes to its end.
            self.stall()
        if body is None or isinstance(plan, int):
            self.send_response(plan if isinstance(plan, int) else 404)
            if self.server.retry_after:
                self.send_header("Retry-After", self.server.retry_after)
            self.end_headers()
            return
        start = 0
        if self.server.ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        rest = body[start:]
        if plan == "cut chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b" % (len(rest), rest[:1000]))
            return
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if plan == "damage":
            rest = rest[:-1] + bytes([rest[-1] ^ 1])
        if plan in ("drop", "reset"):
            rest = rest[: len(rest) // 2]
        if plan == "trickle":
            for begin in range(0, len(rest), 4000):
                self.wfile.write(rest[begin : begin + 4000])
                time.sleep(0.05)
            return
        self.wfile.write(rest)
        if plan == "reset":
            # Lingering for 0 s makes close() send RST in place of FIN.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def waits():
    """Seconds that were waited for, in which no time passes."""
    return []


def get(server: Server, file: Path, waits: list, **options) -> Path:
    return fetch(f"{server.url}/file", file, sleep=waits.append, **options)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_fetched_once(server, tmp_path, waits):
    file = tmp_path / "new" / "file.bin"
    for _ in range(2):
        assert get(server, file, waits, size=len(BODY)) == file
    assert file.read_bytes() == BODY
    assert names(file.parent) == ["file.bin"]
    assert server.asked == [("/file", None)]
    assert waits == []


@pytest.mark.parametrize("plan", ["drop", "reset"])
def test_goes_on_where_the_connection_dropped(server, tmp_path, waits, plan):
    server.plans["/file"] = [plan]
    file = get(server, tmp_path / "f", waits)
    assert file.read_bytes() == BODY
    (_, first), (_, second) = server.asked
    assert first is None
    # After a reset, the system may discard bytes that had arrived.
    assert second == "bytes=100000-" if plan == "drop" else second in (None, "bytes=100000-")
    assert len(waits) == 1


def test_starts_anew_where_the_server_knows_no_ranges(server, tmp_path, waits):
    server.ranges = False
    server.plans["/file"] = ["drop", "drop"]
    assert get(server, tmp_path / "f", waits).read_bytes() == BODY
    assert len(server.asked) == 3


@pytest.mark.parametrize("plan", ["hang up", "cut chunks", 429, 500, 503])
def test_a_passing_failure_is_tried_again_later_and_later(server, tmp_path, waits, plan):
    server.plans["/file"] = [plan] * 3
    server.ranges = False
    assert get(server, tmp_path / "f", waits).read_bytes() == BODY
    assert len(server.asked) == 4
    assert all(low <= wait <= 2 * low for low, wait in zip((0.5, 1, 2), waits, strict=True))


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("9999", 60)])
def test_waits_as_long_as_the_server_asks_but_no_longer_than_a_minute(
    server, tmp_path, waits, asked, waited
):
    server.plans["/file"] = [503]
    server.retry_after = asked
    get(server, tmp_path / "f", waits)
    assert waits == [waited]


def test_a_silent_server_counts_as_dropped(server, tmp_path, waits):
    server.plans["/file"] = ["stall"]
    assert get(server, tmp_path / "f", waits, timeout=0.1).read_bytes() == BODY
    assert len(waits) == 1


def test_follows_a_redirection(server, tmp_path):
    server.files["/old"] = b""
    server.plans["/old"] = ["redirect"]
    assert fetch(f"{server.url}/old", tmp_path / "f").read_bytes() == BODY


def test_a_file_cut_every_time_never_gets_its_name(server, tmp_path, waits):
    server.ranges = False
    server.plans["/file"] = ["drop"] * 5
    with pytest.raises(ConnectionFailedError, match=r"100000 of 200000 bytes, 5 failures in a row"):
        get(server, tmp_path / "f", waits)
    assert names(tmp_path) == ["f.part"]
    server.ranges = True
    assert get(server, tmp_path / "f", waits).read_bytes() == BODY
    assert server.asked[5:] == [("/file", "bytes=100000-")]
    assert names(tmp_path) == ["f"]


def test_drops_that_leave_more_each_time_are_borne_without_end(server, tmp_path, waits):
    server.plans["/file"] = ["drop"] * 10
    assert get(server, tmp_path / "f", waits, attempts=2).read_bytes() == BODY
    assert len(waits) == 10
    assert max(waits) <= 1


def test_nobody_there(tmp_path, waits, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
    with pytest.raises(ConnectionFailedError, match="refused, 3 failures in a row"):
        fetch(url, tmp_path / "f", attempts=3, sleep=waits.append)
    assert len(waits) == 2
    assert names(tmp_path) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(server, tmp_path, waits, status):
    server.plans["/file"] = [status]
    with pytest.raises(InputError, match=rf"{server.url}/file.*{status}.*Check the address"):
        get(server, tmp_path / "f", waits)
    assert len(server.asked) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("url", ["ftp://host/file", "file:///etc/hostname", "host/file", "http://"])
def test_only_web_addresses(tmp_path, url):
    with pytest.raises(InputError, match="is no web address"):
        fetch(url, tmp_path / "f")


def test_damage_on_the_way_is_noticed_and_mended(server, tmp_path, waits):
    server.plans["/file"] = ["damage"]
    sha256 = hashlib.sha256(BODY).hexdigest()
    assert get(server, tmp_path / "f", waits, sha256=sha256).read_bytes() == BODY
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("expected", "fault"),
    [({"size": 5}, "200000 bytes instead of 5"), ({"sha256": "00"}, "SHA-256 is .* instead of 00")],
)
def test_another_file_than_expected_is_refused(server, tmp_path, waits, expected, fault):
    with pytest.raises(InputError, match=fault):
        get(server, tmp_path / "f", waits, **expected)
    assert len(server.asked) == 2
    assert names(tmp_path) == []


def test_a_failed_check_replaces_the_file_that_is_there(server, tmp_path, waits):
    file = tmp_path / "f"
    file.write_bytes(b"old")

    def check(file):
        if file.read_bytes() != BODY:
            raise ValueError("it is old")

    assert get(server, file, waits, check=check).read_bytes() == BODY
    assert len(server.asked) == 1


def test_a_part_of_another_file_is_dropped(server, tmp_path, waits):
    (tmp_path / "f.part").write_bytes(b"x" * 1000)
    sha256 = hashlib.sha256(BODY).hexdigest()
    assert get(server, tmp_path / "f", waits, sha256=sha256).read_bytes() == BODY
    assert [asked for _, asked in server.asked] == ["bytes=1000-", None]


@pytest.mark.parametrize(("have", "requests"), [(len(BODY), 1), (len(BODY) + 1, 2)])
def test_a_part_that_is_whole_needs_its_name_only(server, tmp_path, waits, have, requests):
    (tmp_path / "f.part").write_bytes((BODY + b"x")[:have])
    assert get(server, tmp_path / "f", waits).read_bytes() == BODY
    assert len(server.asked) == requests


def test_a_full_disk_keeps_the_part_and_names_the_folder(server, tmp_path, waits):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, limits[1]))
    try:
        with pytest.raises(DiskError) as caught:
            get(server, tmp_path / "f", waits)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"cannot write to {tmp_path}" in str(caught.value)
    assert names(tmp_path) == ["f.part"]
    kept = (tmp_path / "f.part").stat().st_size
    assert 0 < kept <= 150_000
    assert get(server, tmp_path / "f", waits).read_bytes() == BODY
    assert server.asked[-1] == ("/file", f"bytes={kept}-")


def test_a_folder_that_cannot_be_made(server, tmp_path, waits):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DiskError, match=r"cannot write to .*taken"):
        get(server, tmp_path / "taken" / "f", waits)


def test_one_failure_does_not_stop_the_others(server, tmp_path, capsys):
    for number in range(12):
        server.files[f"/{number}"] = BODY[: 1000 + number]
        server.plans[f"/{number}"] = ["stall"] if number < 6 else []
    del server.files["/3"], server.files["/8"]
    items = [Download(f"{server.url}/{n}", tmp_path / f"{n}.bin") for n in range(12)]
    failures = fetch_all(items, connections=4, description="made-up files")
    assert sorted(item.file.name for item, _ in failures) == ["3.bin", "8.bin"]
    assert all("404" in why for _, why in failures)
    assert len(server.asked) == 12
    assert 2 <= server.most_stalling <= 4
    for number in set(range(12)) - {3, 8}:
        assert (tmp_path / f"{number}.bin").read_bytes() == BODY[: 1000 + number]
    assert "made-up files" in capsys.readouterr().err


def test_many_files_end_early_when_the_server_is_gone(server, tmp_path, waits):
    items = [Download(f"{server.url}/{n}", tmp_path / f"{n}.bin") for n in range(40)]
    server.plans = {f"/{n}": ["hang up"] * 3 for n in range(40)}
    with pytest.raises(ConnectionFailedError, match="3 failures in a row"):
        fetch_all(items, connections=2, attempts=3, sleep=lambda _: time.sleep(0.01))
    assert len(server.asked) < 40


def test_many_files_end_early_when_the_disk_is_full(server, tmp_path):
    (tmp_path / "taken").write_text("a file")
    items = [Download(f"{server.url}/file", tmp_path / "taken" / str(n)) for n in range(9)]
    with pytest.raises(DiskError):
        fetch_all(items, connections=2)
    assert server.asked == []


def test_no_connection_is_no_way_to_fetch():
    with pytest.raises(InputError, match="connections is 0"):
        fetch_all([], connections=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_program_leaves_a_part_that_the_next_goes_on_from(
    server, tmp_path, waits, number
):
    server.plans["/file"] = ["trickle"]
    code = f"from captioner.download import *; fetch({server.url + '/file'!r}, Path('f'))"
    root = Path(__file__).parents[1]
    program = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {code}"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    part = tmp_path / "f.part"
    wait_until(lambda: part.exists() and part.stat().st_size > 0)
    program.send_signal(number)
    assert program.wait(timeout=10) != 0
    assert names(tmp_path) == ["f.part"]
    kept = part.stat().st_size
    assert 0 < kept < len(BODY)
    assert get(server, tmp_path / "f", waits).read_bytes() == BODY
    assert server.asked[1:] == [("/file", f"bytes={kept}-")]


def wait_until(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the program under test did not get that far"
        time.sleep(0.01)
