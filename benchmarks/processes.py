"""Whole programs, measured from outside: how soon they are done, how much memory they take.

`start`: `python caption.py photo.jpg` in a new process. Usual: a process that only imports torch
and torchvision, with which any such program begins. `help`: `python caption.py --help` beside the
same. `memory`: peak resident memory of captioning 100 photos ("usual") and 10,000 ("ours"), which
ought to be the same.
"""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.inputs import Setting, make_photo
from benchmarks.measuring import Pair

ROOT = Path(__file__).resolve().parents[1]
CAPTION = [sys.executable, str(ROOT / "caption.py")]
IMPORTS = [sys.executable, "-c", "import torch, torchvision"]
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak / (2**20 if sys.platform == "darwin" else 2**10))
"""
"""Runs a command and prints its peak in MiB. A process of its own, for it counts all children; and
a small one, for a child's peak is not below its parent's size."""
SMALL = (160, 120)
DIFFERENT = 10
"""Photos that all those of a folder are links to."""


def start(setting: Setting) -> Pair:
    """Captioning one photo."""
    photo = setting.folder / "photo.jpg"
    make_photo(setting.seed).save(photo)
    return Pair(
        lambda: run(IMPORTS, setting),
        lambda: run([*CAPTION, str(photo)], setting),
        amount=1,
        unit="start",
    )


def help_text(setting: Setting) -> Pair:
    """Asking for help."""
    return Pair(
        lambda: run(IMPORTS, setting),
        lambda: run([*CAPTION, "--help"], setting),
        amount=1,
        unit="start",
    )


def memory(setting: Setting, few: int = 100, many: int = 10_000) -> Pair:
    """Captioning few photos and many."""
    folders = [link_photos(setting.folder / str(count), count) for count in (few, many)]

    def peak(folder: Path) -> float:
        output = setting.folder / "captions.json"
        command = [*CAPTION, str(folder), "--format", "json", "--output", str(output)]
        found = float(run([sys.executable, "-c", PEAK, *command], setting))
        if len(output.read_text(encoding="utf-8").splitlines()) != len(list(folder.iterdir())):
            raise AssertionError(f"{output}: not every photo has its caption")
        return found

    return Pair(
        lambda: peak(folders[0]),
        lambda: peak(folders[1]),
        amount=1,
        unit="run",
        # The first run exports the CNN, which takes memory of its own.
        warm_up=lambda: peak(folders[0]),
        measure=lambda way: way(),
        quantity="MiB",
        about={"photos_usual": few, "photos_ours": many},
    )


def link_photos(folder: Path, count: int) -> Path:
    """A folder of so many photos, which are hard links to a few."""
    folder.mkdir()
    for number in range(count):
        file = folder / f"{number:05d}.jpg"
        if number < DIFFERENT:
            make_photo(number, SMALL).save(file)
        else:
            os.link(folder / f"{number % DIFFERENT:05d}.jpg", file)
    return folder


def run(command: list[str], setting: Setting) -> str:
    """What a program prints; it has an empty cache at first, and finds its own later.

    Raises:
        RuntimeError: if it fails, with what it said.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CAPTIONER_CACHE": str(setting.folder / "cache")},
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])}: {done.stderr.strip()}")
    return done.stdout
