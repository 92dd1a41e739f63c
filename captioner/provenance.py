"""Where a number comes from: commit, versions, hardware, command."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import captioner


def provenance(seed: int) -> dict[str, Any]:
    """What a reader needs to make a result again."""
    import numpy
    import torch

    return {
        "commit": commit(),
        "command": command(),
        "seed": seed,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "versions": {
            "captioner": captioner.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
        },
        "hardware": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def commit() -> str | None:
    """Commit of the source tree that runs, `+` where it was changed; None for an installed copy."""
    root = Path(captioner.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "captioner")
        return head + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def command() -> str:
    """The command line, without the folders that are this machine's own."""
    script = Path(sys.argv[0])
    program = "captioner" if script.stem == "captioner" else f"python {script.name}"
    home = str(Path.home())
    arguments = [argument.replace(home, "~") for argument in sys.argv[1:]]
    return " ".join([program, *map(shlex.quote, arguments)])


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
