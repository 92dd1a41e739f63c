"""What `pip install` brings: the wheel, away from the source tree, without a network or torch."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
OFFLINE = """
import importlib.abc, socket, sys

def refuse(*_, **__):
    raise OSError("no network here")

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "timm", "nltk", "matplotlib", "onnx"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

socket.socket.connect = refuse
socket.create_connection = refuse
if "--without-torch" in sys.argv:
    sys.argv.remove("--without-torch")
    sys.meta_path.insert(0, Missing())
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
    assert wheel.stat().st_size < 40_000_000
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        packed.extractall(tmp_path / "installed")
    model = "captioner/models/flickr8k/"
    assert {name.removeprefix(model) for name in names if name.startswith(model)} == {
        "README.md", "config.json", "metrics.json", "model.safetensors", "vocabulary.json",
        "onnx/README.md", "onnx/config.json", "onnx/encoder.onnx", "onnx/step.onnx",
        "onnx/vocabulary.json", "LICENSE-EfficientNet-Lite2.txt", "confidence.json",
        "consensus.npz", "onnx/confidence.json", "onnx/consensus.npz",
    }  # fmt: skip
    page = {file.name for file in (ROOT / "captioner" / "serving" / "static").iterdir()}
    assert page == {Path(name).name for name in names if "/serving/static/" in name}
    assert not [name for name in names if name.endswith((".jpg", ".jpeg", ".pkl", ".pth"))]

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Image.linear_gradient("L").convert("RGB").resize((200, 150)).save(elsewhere / "photo.jpg")
    said = []
    for options in (["--without-torch"], ["--ensemble", "flickr8k"]):  # the latter needs torch
        done = subprocess.run(
            [sys.executable, "-P", "-c", OFFLINE, str(tmp_path / "installed"), "caption",
             "photo.jpg", *options],
            cwd=elsewhere, capture_output=True, text=True, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert str(tmp_path / "installed") in done.stderr
        said.append(done.stdout)
    assert len(said[0].split()) >= 3
    assert said[0] == said[1]


def test_what_needs_torch_says_so_where_there_is_none() -> None:
    code = "import sys; sys.modules['torch'] = None; from captioner import Captioner"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert "captioner.Captioner needs torch, which is not installed: pip install" in said
    assert "captioner.OnnxCaptioner captions photos without it" in said
