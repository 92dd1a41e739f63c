"""What `pip install` brings: the wheel, away from the source tree, without a network."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
OFFLINE = """
import socket, sys

def refuse(*_, **__):
    raise OSError("no network here")

socket.socket.connect = refuse
socket.create_connection = refuse
sys.path.insert(0, sys.argv.pop(1))
import captioner
print(captioner.__file__, file=sys.stderr)
from captioner.commands import main
main(sys.argv[1:])
"""


def test_the_wheel_captions_a_photo_from_another_folder_without_a_network(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "captioner", source / "captioner")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--no-build-isolation",
         "--quiet", "--wheel-dir", str(tmp_path)],
        check=True, capture_output=True,
    )  # fmt: skip
    wheel = next(tmp_path.glob("captioner-*.whl"))
    assert wheel.stat().st_size < 16_000_000
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        packed.extractall(tmp_path / "installed")
    assert {Path(name).name for name in names if name.startswith("captioner/models/flickr8k/")} == {
        "README.md", "config.json", "metrics.json", "model.safetensors", "vocabulary.json"
    }  # fmt: skip
    assert not [name for name in names if name.endswith((".jpg", ".jpeg", ".pkl", ".pth"))]

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Image.linear_gradient("L").convert("RGB").resize((200, 150)).save(elsewhere / "photo.jpg")
    done = subprocess.run(
        [sys.executable, "-P", "-c", OFFLINE, str(tmp_path / "installed"), "caption", "photo.jpg"],
        cwd=elsewhere, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "installed") in done.stderr
    assert len(done.stdout.split()) >= 3
