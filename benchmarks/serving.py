"""`captioner serve` under load, beside captioning the same photos in one batch.

    python -m benchmarks.serving

A server in a process of its own is asked by 1, 8 and 32 clients, each of which sends one photo,
waits for its caption and sends the next. In the same round `PhotoCaptioner.stream` captions the
same photos in this process, while the server rests. The time that the processors spend on a caption
is told as well, since other work on the machine hardly changes it. At the end many requests more
show whether the server's memory grows. The photos are drawn, with noise on top, so that their files
are as large as those of real photos.
"""

import http.client
import importlib.metadata
import io
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from PIL import Image
from tqdm import tqdm

from benchmarks.measuring import spread
from benchmarks.records import FOLDER, PACKAGES
from captioner.commands import finish, say
from captioner.commands.sources import check_seed
from captioner.errors import InputError
from captioner.files import write_json
from captioner.provenance import provenance
from captioner.runtime import OnnxCaptioner
from captioner.scenes import prepare_scenes

CLIENTS = (1, 8, 32)
SIDE = (500, 375)
"""Of the photos, in pixels, as in Flickr8k."""
MARK = uuid.UUID(int=0).hex


@dataclass(frozen=True)
class ServingBenchOptions:
    """Put load on `captioner serve`."""

    model: str = "flickr8k"
    """Folder of a model with an export, or the name of one that comes with the package."""
    photos: int = 32
    """Photos of a round."""
    rounds: int = 5
    """Rounds, each the batch and then each number of clients."""
    requests: int = 2000
    """Requests, of 8 clients and with one beam, over which the server's memory is watched."""
    seed: int = 0
    """Of the pictures."""
    output: Path = FOLDER / "serving.json"
    """The record."""


def main() -> None:
    """Measure; exit codes as of `captioner.commands.finish`."""
    finish(lambda: measure(tyro.cli(ServingBenchOptions, prog="python -m benchmarks.serving")))


def measure(options: ServingBenchOptions) -> int:
    """Caption, ask, watch; write the record."""
    if min(options.photos, options.rounds, options.requests) < 1:
        raise InputError("--photos, --rounds and --requests must be above 0")
    check_seed(options.seed)
    photos = draw(options.photos, options.seed)
    captioner = OnnxCaptioner.from_pretrained(options.model)
    batches: list[dict[str, Any]] = []
    loads: dict[int, list[dict[str, Any]]] = {clients: [] for clients in CLIENTS}
    with served(options.model) as (port, process):
        load(port, photos[:4], 4, 4)
        for _ in tqdm(range(options.rounds), desc="Rounds", unit="round"):
            began, spent = time.perf_counter(), time.process_time()
            expected = [found[0].caption for found in captioner.stream(photos)]  # type: ignore[index]
            batches.append({
                "rate": len(photos) / (time.perf_counter() - began),
                "processor": (time.process_time() - spent) / len(photos),
            })  # fmt: skip
            for clients, of_load in loads.items():
                asked = len(photos) * (2 if clients > 8 else 1)
                spent = processor_seconds(process.pid)
                of_load.append(load(port, photos, clients, asked, expected))
                of_load[-1]["processor"] = (processor_seconds(process.pid) - spent) / asked
        memory = watch(port, process, photos, options.requests)
    record = {
        "benchmark": "serving",
        "work": "captions over HTTP, a photo in each request",
        "model": options.model,
        "photos": options.photos,
        "rounds": options.rounds,
        "bytes_per_photo": round(statistics.mean(map(len, photos))),
        "stream": {
            "captions_per_second": spread([one["rate"] for one in batches]),
            "processor_seconds": spread([one["processor"] for one in batches]),
        },
        "clients": {str(clients): summary(of, batches) for clients, of in loads.items()},
        "memory": memory,
        **provenance(options.seed),
    }
    record["command"] = " ".join(["python -m benchmarks.serving", *map(shlex.quote, sys.argv[1:])])
    packages = (*PACKAGES, "fastapi", "starlette", "uvicorn", "python-multipart")
    record["versions"] |= {package: importlib.metadata.version(package) for package in packages}
    write_json(options.output, record)
    say(json.dumps({key: record[key] for key in ("stream", "clients")}))
    say(json.dumps(memory))
    return 0


def summary(found: list[dict[str, Any]], batches: list[dict[str, Any]]) -> dict[str, Any]:
    """What so many clients saw in all rounds, and how it compares with the batch of each round."""

    def beside(name: str) -> dict[str, float]:
        return spread([one[name] / of[name] for one, of in zip(found, batches, strict=True)])

    return {
        "captions_per_second": spread([one["rate"] for one in found]),
        "captions_per_second_beside_stream": beside("rate"),
        "processor_seconds_beside_stream": beside("processor"),
        "seconds_median": spread([one["p50"] for one in found]),
        "seconds_95th_percentile": spread([one["p95"] for one in found]),
        "requests": sum(one["requests"] for one in found),
        "failed": sum(one["failed"] for one in found),
        "unlike_stream": sum(one["unlike"] for one in found),
    }


def draw(count: int, seed: int) -> list[bytes]:
    """Drawn scenes as JPEG files."""
    generator = np.random.default_rng(seed)
    photos = []
    with tempfile.TemporaryDirectory() as folder:
        prepare_scenes(Path(folder) / "scenes", images=max(count, 24), seed=seed, workers=1)
        for file in sorted(Path(folder, "scenes", "images").iterdir())[:count]:
            with Image.open(file) as drawn:
                pixels = np.asarray(drawn.convert("RGB").resize(SIDE), dtype=np.float64)
            noisy = (pixels + generator.normal(0, 8, pixels.shape)).clip(0, 255)
            photo = io.BytesIO()
            Image.fromarray(noisy.astype(np.uint8)).save(photo, "JPEG", quality=90)
            photos.append(photo.getvalue())
    return photos


@contextmanager
def served(model: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server on a free port, in a process of its own."""
    code = "import sys; from captioner.commands import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", "0", "--model", model],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        told = process.stderr.readline()
        found = re.search(r":(\d+)/", told)
        if not found:
            raise InputError(told.removeprefix("captioner: ").strip())
        yield int(found[1]), process
    finally:
        process.terminate()
        process.communicate()


def load(
    port: int,
    photos: Sequence[bytes],
    clients: int,
    requests: int,
    expected: Sequence[str] = (),
    **fields: object,
) -> dict[str, Any]:
    """Ask for so many captions, a photo in each request, by clients that wait for their answers.

    Args:
        port: Of the server.
        photos: They take turns.
        clients: That ask at once.
        requests: In all.
        expected: The captions, to count those that differ.
        fields: Settings of the search.

    Returns:
        Captions per second, median and 95th percentile of the seconds that one takes, failures.
    """
    bodies = [body(photo, **fields) for photo in photos]
    numbers = iter(range(requests))
    seconds: list[float] = []
    failed: list[object] = []
    unlike: list[int] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        for number in numbers:
            place = number % len(bodies)
            began = time.perf_counter()
            try:
                headers = {"Content-Type": f"multipart/form-data; boundary={MARK}"}
                connection.request("POST", "/caption", bodies[place], headers)
                answer = connection.getresponse()
                told = json.loads(answer.read())
                found = told["photos"][0]["captions"][0]["caption"]
            except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
                failed.append(error)
                connection.close()
                continue
            seconds.append(time.perf_counter() - began)
            if expected and found != expected[place]:
                unlike.append(number)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    return {
        "rate": len(seconds) / elapsed,
        "p50": float(np.percentile(seconds, 50)) if seconds else 0.0,
        "p95": float(np.percentile(seconds, 95)) if seconds else 0.0,
        "requests": requests,
        "failed": len(failed),
        "unlike": len(unlike),
    }


def body(photo: bytes, **fields: object) -> bytes:
    """A multipart form with the photo."""
    parts = [
        f'--{MARK}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{MARK}\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n\r\n'
    return b"".join([*parts, head.encode(), photo, f"\r\n--{MARK}--\r\n".encode()])


def watch(
    port: int, process: "subprocess.Popen[str]", photos: Sequence[bytes], requests: int
) -> dict[str, Any]:
    """The server's memory in megabytes after each tenth of so many requests."""
    tenth = max(requests // 10, 1)
    resident, failed = [], 0
    for _ in tqdm(range(10), desc="Memory", unit="tenth"):
        failed += load(port, photos, 8, tenth, beam_size=1)["failed"]
        resident.append(resident_megabytes(process.pid))
    half = resident[len(resident) // 2 - 1]
    return {
        "requests": 10 * tenth,
        "failed": failed,
        "resident_megabytes": resident,
        "growth_over_second_half": round(resident[-1] / half - 1, 4),
    }


def resident_megabytes(pid: int) -> float:
    """What a process has in memory; only on Linux."""
    told = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^VmRSS:\s+(\d+) kB", told, re.MULTILINE)
    assert found
    return int(found[1]) / 1000


def processor_seconds(pid: int) -> float:
    """What a process has taken of all processors; only on Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
