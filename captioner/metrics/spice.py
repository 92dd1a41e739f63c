"""SPICE: whether a caption names the things, attributes and relations that people name.

It is what pycocoevalcap computes (Anderson et al. 2016, "SPICE: semantic propositional image
caption evaluation"), in Java and with models of Stanford CoreNLP, which that package fetches when
it is first used; nothing is fetched here.
"""

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from captioner.errors import InputError
from captioner.metrics.java import run

SECONDS = 3600.0
"""It parses every sentence: some seconds for ten photos."""

MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")


def spice_each(
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
    java: str | None,
    package: Path | None,
    seconds: float = SECONDS,
) -> np.ndarray:
    """SPICE of each photo (N), from 0 to 1.

    Args:
        captions: One for each photo, as words.
        references: For each photo, what people wrote about it.
        java: The program `java`, if there is one.
        package: Folder of pycocoevalcap, if it is installed.
        seconds: How long it may take.

    Raises:
        InputError: if something that it needs is missing, or it takes too long or fails.
    """
    if package is None:
        raise InputError("SPICE: needs pycocoevalcap: pip install 'captioner[meteor]' brings it")
    folder = package / "spice"
    missing = [name for name in MODELS if not (folder / "lib" / name).is_file()]
    if missing:
        raise InputError(
            f"SPICE: {folder / 'lib'} lacks {' and '.join(missing)}, models of Stanford CoreNLP "
            "that are fetched apart: get_stanford_models() of pycocoevalcap.spice."
            "get_stanford_models does it where there is a network"
        )
    if java is None:
        raise InputError("SPICE: needs Java, and there is no program java here")
    photos = [
        {"image_id": number, "test": caption, "refs": list(photo)}
        for number, (caption, photo) in enumerate(zip(captions, references, strict=True))
    ]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "in.json").write_text(json.dumps(photos), encoding="utf-8")
        command = [java, "-Xmx8G", "-jar", "spice-1.0.jar", str(place / "in.json")]
        command += ["-cache", str(place / "cache"), "-out", str(place / "out.json")]
        (place / "cache").mkdir()
        run([*command, "-subset", "-silent"], folder, "", seconds, "SPICE")
        try:
            told = json.loads((place / "out.json").read_text(encoding="utf-8"))
            scores = {row["image_id"]: float(row["scores"]["All"]["f"]) for row in told}
            each = [scores[number] for number in range(len(captions))]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"SPICE: answered something else than scores ({error})") from None
    # Where neither text says anything that can be parsed there is no score; it counts as none.
    return np.array([0.0 if math.isnan(value) else value for value in each])
