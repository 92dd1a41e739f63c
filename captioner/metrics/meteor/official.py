"""METEOR by its authors' own program, meteor-1.5.jar of pycocoevalcap."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from captioner.errors import InputError
from captioner.metrics.java import run
from captioner.metrics.meteor.score import NUM_COUNTS

SECONDS = 600.0
"""It reads its paraphrases in some ten seconds, and then scores a thousand pairs a second."""

NAME = "METEOR 1.5"


def count_officially(
    pairs: Sequence[tuple[str, str]], java: str, package: Path, seconds: float = SECONDS
) -> np.ndarray:
    """What METEOR needs to know about captions and references, from the official program (M, 23).

    It is called as pycocoevalcap calls it, but given all captions at once and a time to answer in.

    Args:
        pairs: A caption and a reference each: words with single spaces between them, as
            `captioner.metrics.ptb` makes them.
        java: The program `java`.
        package: Folder of pycocoevalcap.
        seconds: How long it may take.

    Raises:
        InputError: if it is not there, takes too long, fails or answers something else.
    """
    folder = package / "meteor"
    jar = folder / "meteor-1.5.jar"
    if not jar.is_file():
        raise InputError(f"{jar}: missing; install pycocoevalcap once more")
    lines = "".join(f"SCORE ||| {_plain(b)} ||| {_plain(a)}\n" for a, b in pairs)
    command = [java, "-Xmx2G", "-Dfile.encoding=UTF-8", "-jar", jar.name]
    command += ["-", "-", "-stdio", "-l", "en", "-norm"]
    answers = run(command, folder, lines, seconds, NAME).splitlines()
    try:
        counts = [[float(number) for number in answer.split()] for answer in answers]
    except ValueError:
        counts = []
    if len(counts) != len(pairs) or any(len(row) != NUM_COUNTS for row in counts):
        raise InputError(f"{NAME}: answered {len(answers)} lines that are no counts of captions")
    return np.array(counts).reshape(-1, NUM_COUNTS)


def _plain(text: str) -> str:
    return text.replace("|||", "")
