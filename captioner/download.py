"""Files fetched over HTTP so that a broken line, a busy server or Ctrl-C costs no finished work.

Bytes go to `NAME.part`, which a later call goes on from; the final name appears only once the file
is whole, by one atomic rename.
"""

import hashlib
import http.client
import os
import queue
import random
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from captioner.errors import InputError

CHUNK = 1 << 16
LONGEST_WAIT = 60.0
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Answers that the same request may not get a moment later."""


class ConnectionFailedError(InputError):
    """The server could not be reached, or never sent the whole file."""


class DiskError(InputError):
    """The folder takes no more bytes."""


class _LostError(Exception):
    """One attempt failed in a way that the next may not."""

    def __init__(self, reason: object, retry_after: float = 0.0):
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Download:
    """One file to fetch, and what is known of it beforehand."""

    url: str
    file: Path
    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    check: Callable[[Path], None] | None = None
    """Raises ValueError on a file that is not what it should be."""


def fetch(
    url: str,
    file: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    check: Callable[[Path], None] | None = None,
    attempts: int = 5,
    timeout: float = 30,
    progress: str | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Path:
    """Fetch one file, unless it is there already and nothing is wrong with it.

    Args:
        url: http or https.
        file: Where it goes; the folder is made. `file.part` holds what has arrived.
        size: Bytes it must have.
        sha256: Checksum it must have.
        check: Raises ValueError on a file that is not what it should be.
        attempts: Failures in a row that are borne. One that left more bytes on disk than there ever
            were counts as the first again, so a line that drops often does not end a long download.
        timeout: Seconds of silence after which the connection counts as dropped.
        progress: What the bar on stderr calls the file; None for no bar.
        sleep: Waits the seconds between two attempts.

    Returns:
        `file`.

    Raises:
        InputError: if the server refuses (404, 403...) or twice sends what it should not;
            as `ConnectionFailedError` if it stays out of reach, and as `DiskError` if the folder
            takes no more: then the `.part` file is kept.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"{url} is no web address: it must start with http:// or https://")
    part = file.with_name(file.name + ".part")
    most, lost, damaged = 0, 0, 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and _find_fault(file, size, sha256, check) is None:
            return file
        while True:
            try:
                _receive(url, part, timeout, progress)
            except _LostError as error:
                now = part.stat().st_size if part.exists() else 0
                lost = 1 if now > most else lost + 1
                most = max(most, now)
                if lost >= attempts:
                    raise ConnectionFailedError(
                        f"{url}: {error}, {lost} failures in a row. Check the connection and run "
                        "the same command again; what has arrived is kept"
                    ) from error
                sleep(seconds_to_wait(lost, error.retry_after, random.random()))
                continue
            if (fault := _find_fault(part, size, sha256, check)) is None:
                os.replace(part, file)
                return file
            part.unlink()
            damaged += 1
            if damaged == 2:  # damage on the way strikes once; twice, it comes from the server
                raise InputError(f"{url} is not the file it should be: {fault}. Check the address")
    except OSError as error:  # the network's own errors became _LostError on the way
        raise DiskError(
            f"cannot write to {file.parent}: {error.strerror or error}. Make room or choose "
            "another folder, then run the same command again; what has arrived is kept"
        ) from error


def _receive(url: str, part: Path, timeout: float, progress: str | None) -> None:
    """One attempt: ask for what `part` lacks and add it, until it holds the whole file."""
    have = part.stat().st_size if part.exists() else 0
    with _open(url, have, timeout) as response:
        sent = response.headers.get("Content-Range") or ""
        if response.status == 416 and sent == f"bytes */{have}":
            return  # it was whole, only its last name was missing
        if response.status != 200 and not sent.startswith(f"bytes {have}-"):
            part.unlink(missing_ok=True)
            raise _LostError("the server cannot go on from the bytes that had arrived")
        have = have if response.status == 206 else 0
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        bar = _bar(progress, total, initial=have, unit="B", unit_scale=True)
        with bar, part.open("ab" if have else "wb") as out:
            while chunk := _read(response):
                out.write(chunk)
                have += len(chunk)
                bar.update(len(chunk))
    if total is not None and have < total:
        raise _LostError(f"the connection was closed after {have} of {total} bytes")


def _find_fault(
    file: Path, size: int | None, sha256: str | None, check: Callable[[Path], None] | None
) -> str | None:
    """What is wrong with a file that has arrived, None if nothing."""
    if size is not None and (found := file.stat().st_size) != size:
        return f"it has {found} bytes instead of {size}"
    if sha256 is not None:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != sha256:
            return f"its SHA-256 is {digest} instead of {sha256}"
    if check is not None:
        try:
            check(file)
        except ValueError as error:
            return str(error)
    return None


def _open(url: str, start: int, timeout: float) -> http.client.HTTPResponse:
    """The server's answer to a request for the bytes from `start` on."""
    request = urllib.request.Request(url, headers={"User-Agent": "captioner"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error  # type: ignore[return-value]  # an HTTPError is a response as well
        with error:
            if error.code in PASSING:
                raise _LostError(
                    f"the server answered {error.code} {error.reason}",
                    float(asked)
                    if (asked := error.headers.get("Retry-After", "")).isdecimal()
                    else 0,
                ) from error
            raise InputError(
                f"{url}: the server answered {error.code} {error.reason}. Check the address"
            ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError | http.client.InvalidURL):
            raise InputError(f"{url}: {reason}. Check the address and the clock") from error
        raise _LostError(reason) from error


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _LostError(f"the connection was lost: {error}") from error


def seconds_to_wait(failures: int, retry_after: float, jitter: float) -> float:
    """Time until the next attempt: doubled at each failure, spread out, and never over a minute.

        wait = min(60, max(retry_after, 2^(failures - 1) (1 + jitter) / 2))

    The jitter keeps connections that failed together from coming back together.

    Args:
        failures: In a row so far, at least 1.
        retry_after: Seconds that the server asked for; 0 if it named none.
        jitter: A random number from 0 to 1.

    Example: the third failure waits 4 s at most and 2 s at least.

        >>> seconds_to_wait(3, 0, 1.0), seconds_to_wait(3, 0, 0.0), seconds_to_wait(3, 900, 0.5)
        (4.0, 2.0, 60.0)
    """
    return min(LONGEST_WAIT, max(retry_after, 2 ** (failures - 1) * (1 + jitter) / 2))


def fetch_all(
    items: Sequence[Download],
    *,
    connections: int = 8,
    description: str = "files",
    attempts: int = 5,
    timeout: float = 30,
    sleep: Callable[[float], object] = time.sleep,
) -> list[tuple[Download, str]]:
    """Fetch many files over several connections, with a bar on stderr.

    Args:
        items: What to fetch; each file name once.
        connections: Files on their way at the same time.
        description: What the bar calls them.
        attempts, timeout, sleep: As in `fetch`.

    Returns:
        The files that could not be had, each with the reason; the others are there.

    Raises:
        DiskError: if the folder takes no more bytes.
        ConnectionFailedError: if twice as many files in a row as there are connections ran out of
            attempts: then the server is gone, and trying thousands more would take hours.
    """
    if connections < 1:
        raise InputError(f"connections is {connections}: it must be at least 1")
    waiting: queue.SimpleQueue[Download] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[Download, BaseException | None]] = queue.SimpleQueue()
    stopped = threading.Event()
    for item in items:
        waiting.put(item)

    def work() -> None:
        while not stopped.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                fetch(**vars(item), attempts=attempts, timeout=timeout, sleep=sleep)
                ended.put((item, None))
            except BaseException as error:
                ended.put((item, error))

    # Daemons: after Ctrl-C the program ends at once, not when the last silent server has timed out.
    for _ in range(min(connections, len(items))):
        threading.Thread(target=work, daemon=True).start()
    failures, unreached = [], 0
    try:
        with _bar(description, len(items), unit="file") as bar:
            for _ in items:
                item, error = ended.get()
                bar.update()
                unreached = unreached + 1 if isinstance(error, ConnectionFailedError) else 0
                if error is None:
                    continue
                gone = unreached == 2 * connections or isinstance(error, DiskError)
                if gone or not isinstance(error, InputError):
                    raise error
                failures.append((item, str(error)))
    finally:
        stopped.set()
    return failures


def _bar(description: str | None, total: int | None, **options):
    from tqdm import tqdm

    # A log file gets a line every ten seconds, a terminal a bar that moves.
    pause = 0.2 if sys.stderr.isatty() else 10.0
    options |= {"disable": description is None, "mininterval": pause}
    return tqdm(desc=description, total=total, **options)
