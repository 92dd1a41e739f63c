"""Programs in Java, which must not hang."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from captioner.errors import InputError


def find_java() -> str | None:
    """The program `java`, if there is one."""
    return shutil.which("java")


def run(command: Sequence[str], folder: Path, told: str, seconds: float, name: str) -> str:
    """What a program answers to some text; it is ended, with all that it started, when time is up.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        told: Its stdin.
        seconds: How long it may take.
        name: What it is, for the errors.

    Returns:
        Its stdout.

    Raises:
        InputError: if it cannot be started, takes too long or fails.

    Example:

        >>> run(["cat"], Path("."), "a dog", seconds=10, name="cat")
        'a dog'
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # a group of its own, which can be ended as a whole
        )
    except OSError as error:
        raise InputError(f"{name}: cannot be started ({error})") from None
    with process:
        try:
            answer, complaint = process.communicate(told, timeout=seconds)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise InputError(
                    f"{name}: no answer within {seconds:g} seconds; give it more time, or leave "
                    "this metric out"
                ) from None
            raise
    if process.returncode:
        last = (complaint.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"{name}: failed with exit code {process.returncode} ({last})")
    return answer


def _end(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()
