"""`captioner serve` as people start and stop it."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_export import ROOT, WITHOUT, leave, run_without_torch

from captioner.commands import EXTRAS
from captioner.folders import DEFAULT_MODEL, MODELS
from captioner.serving.server import listen
from serving_clients import Client, picture

WITHOUT_SERVE = WITHOUT.replace('"torch"', '"fastapi", "uvicorn", "python_multipart"')
SHIPPED = (MODELS / DEFAULT_MODEL / "onnx" / "config.json").is_file()


@contextmanager
def started(code: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Client, str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", "0", *arguments],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line + process.stderr.read()
        yield process, Client(int(found[1])), line
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not SHIPPED, reason="the model is not part of this copy")
def test_it_serves_without_torch_until_ctrl_c() -> None:
    with started(WITHOUT) as (process, client, line):
        assert line.startswith("captioner: flickr8k is served at http://127.0.0.1:")
        answer = client.caption(picture(0), explain="true")
        assert answer.status == 200
        found = answer.json["photos"][0]["captions"][0]
        assert 0 <= found["confidence"] <= 1
        assert len(found["words"][0]["attention"]) == 9
        # With many photos on their way, too.
        answers: list[int] = []
        busy = [
            threading.Thread(
                target=lambda: answers.append(client.caption(*[picture(1)] * 16).status)
            )
            for _ in range(4)
        ]
        for thread in busy:
            thread.start()
        while client.waiting < 64:
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - began < 8
        assert process.returncode == 0
        assert (out, err) == ("", "captioner: stopped\n")
        for thread in busy:
            thread.join()
        assert answers == [503] * 4


def test_help_needs_nothing_and_the_rest_says_what_is_missing() -> None:
    for arguments, code in ((["serve", "--help"], 0), (["serve", "--port", "0"], 2)):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_SERVE, *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        if code:
            assert "which is not installed: pip install 'captioner[serve]' brings it" in done.stderr
            assert "Traceback" not in done.stderr
        else:
            assert "--allow-links" in done.stdout
    code, _, err = run_without_torch("train")
    assert (code, "captioner[train]" in err) == (2, True)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in EXTRAS)


def test_answers_are_sent_without_delay() -> None:
    # asyncio sets TCP_NODELAY where the socket names its protocol; else an answer may wait 40 ms.
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_what_cannot_be_served_is_told(capsys, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = leave(capsys, "serve", "--port", port)
    assert (code, out) == (2, "")
    assert f"--port {port}: cannot be listened on (Address already in use)" in err
    for arguments, message in (
        (["--host", "no such host"], "--host no such host: no such address"),
        (["--host", "198.51.100.1", "--port", "0"], "cannot be listened on"),
        (["--port", "70000"], "--port 70000: choose one from 1 to 65535"),
        (["--port", "0", "--model", str(tmp_path / "none")], "none"),
        (["--max-photos", "0"], "--max-photos 0: choose a number above 0"),
        (["--timeout", "nan"], "--timeout nan: choose a number above 0"),
        (["--port", "0", "--device", "abacus"], "--device abacus"),
    ):
        code, out, err = leave(capsys, "serve", *arguments)
        assert (code, out) == (2, ""), arguments
        assert message in err
        assert len(err.splitlines()) == 1
