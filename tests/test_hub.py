"""Weights from the hub, by a hub of our own on this machine: it serves, refuses, and goes away."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

PROGRAM = """
import json, sys, time, urllib.request
from captioner.backbones import load_backbone
from captioner.commands import main
from captioner.config import EncoderConfig

hub, data = sys.argv[1:]
network, config = load_backbone(EncoderConfig(backbone="test_resnet"))
sums = {name: float(value.double().sum()) for name, value in network.state_dict().items()}
print(json.dumps({"sums": sums, "weights": config.weights, "mean": config.preprocessing.mean}))
for backbone in ("test_vit", "test_efficientnet", "test_byobnet", "test_convnext"):
    if backbone == "test_convnext":
        urllib.request.urlopen(f"{hub}/stop", data=b"")
    began = time.monotonic()
    try:
        main(["train", "--data", data, "--out", "run", "--backbone", backbone])
    except SystemExit as left:
        print(json.dumps({"code": left.code, "seconds": time.monotonic() - began}), flush=True)
        print("==== end", file=sys.stderr, flush=True)
"""
"""One process for all: to import torch and timm takes longer than everything else."""


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does for one network, and in its bad moods for the others."""

    weights = b""
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(self.weights)

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.socket.close()

    def _answer(self, body: bytes) -> None:
        self.asked.append(f"{self.command} {self.path}")
        if "test_byobnet" in self.path:
            self.close_connection = True
            return
        status = 503 if "test_efficientnet" in self.path else 404
        if self.path == "/timm/test_resnet.r160_in1k/resolve/main/model.safetensors":
            status = 200
        self.send_response(status)
        if status == 200:
            self.send_header("ETag", f'"{hashlib.sha256(self.weights).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0123456789" * 4)
        self.send_header("Content-Length", str(len(self.weights) if status == 200 else 0))
        self.end_headers()
        if status == 200:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Made-up weights."""
    import timm

    torch.manual_seed(5)
    return timm.create_model("test_resnet", pretrained=False).state_dict()


@pytest.fixture(scope="module")
def done(
    state: dict[str, torch.Tensor], coloured: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.CompletedProcess]:
    """What became of the program."""
    from safetensors.torch import save

    folder = tmp_path_factory.mktemp("hub")
    handler = type("OneHub", (Hub,), {"weights": save(state, {"format": "pt"}), "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hub = f"http://127.0.0.1:{server.server_port}"
        environment = {
            **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
            "HF_ENDPOINT": hub, "HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_XET": "1",
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        }  # fmt: skip
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM, hub, str(coloured)],
            env=environment, cwd=folder, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        server.shutdown()
    finished.folder, finished.asked = folder, handler.asked
    return finished


def test_weights_are_those_that_the_hub_serves(done, state: dict[str, torch.Tensor]) -> None:
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[0])
    assert told["weights"] == "hub"
    assert told["mean"] == [0.5, 0.5, 0.5]
    served = {name: value.double().sum().item() for name, value in state.items()}
    assert told["sums"] == {name: v for name, v in served.items() if not name.startswith("fc.")}
    assert any(line.startswith("GET") and "test_resnet" in line for line in done.asked)


@pytest.mark.parametrize(
    ("number", "backbone"),
    list(enumerate(("test_vit", "test_efficientnet", "test_byobnet", "test_convnext"))),
    ids=["404", "503", "no answer", "closed port"],
)
def test_a_hub_that_does_not_serve(done, number: int, backbone: str) -> None:
    assert "Traceback" not in done.stderr
    left = json.loads(done.stdout.splitlines()[1 + number])
    assert left["code"] == 2
    assert left["seconds"] < 20
    told = [part for part in done.stderr.split("==== end") if f"weights of {backbone} " in part]
    assert len(told) == 1
    assert "could not be fetched from the hub" in told[0]
    assert "--backbone-weights FILE takes a local file" in told[0]
    assert not (done.folder / "run").exists()
