"""Texts to learn language from: captions, Python's own documentation, any file; lines in splits."""

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from captioner.errors import InputError

DRAWN = 2000
"""Drawn scenes whose captions `scenes` gives; no picture is drawn for them."""
SHARE = 0.05
"""Of the lines of a plain text goes to val, and as much to test."""


@dataclass(frozen=True)
class Texts:
    """Lines to learn from, to choose by and to test with."""

    name: str
    """What they are called."""
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    running: bool
    """Whether a line goes on where the last one ended; captions stand alone."""

    def fingerprint(self) -> str:
        """SHA-256 of all lines in their splits."""
        digest = hashlib.sha256()
        for lines in (self.train, self.val, self.test):
            digest.update("\n".join([*lines, "\0"]).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def read_texts(source: str, lines: str = "auto") -> Texts:
    """The texts that a name or a path means.

    Args:
        source: `scenes` (captions of drawn scenes), `python-docs`, `python-licence`; a data set of
            captioned photos, as for training a captioner; or a text file (UTF-8).
        lines: `apart`, `running`, or `auto`: captions apart, other texts running.

    A data set's own splits are kept. Of a plain text the last lines go to val and test where it
    runs on; where its lines stand apart, they are drawn from all of it.

    Raises:
        InputError: if there is no such text, or it cannot be read or is too short.
    """
    path = Path(source)
    if source in NAMED and not path.exists():
        texts = NAMED[source]()
    elif path.is_dir() or path.suffix in (".json", ".csv"):
        texts = _captions(path)
    else:
        texts = _split(path.name, read_lines(path))
    if lines != "auto" and texts.running != (lines == "running"):
        texts = _turned(texts)
    for name in ("train", "val"):
        if not any(line.strip() for line in getattr(texts, name)):
            raise InputError(f"{source}: too short to learn from; {name} would be empty")
    return texts


def _captions(path: Path) -> Texts:
    from captioner.datasets import read_dataset

    dataset = read_dataset(path)
    splits = {
        name: tuple(
            " ".join(caption.split())
            for photo in dataset.splits.get(name, ())
            for caption in photo.captions
        )
        for name in ("train", "val", "test")
    }
    return Texts(dataset.title, **splits, running=False)


def _scenes() -> Texts:
    from captioner.scenes import describe_scenes, split_sizes

    splits = {
        split: tuple(
            caption for captions, _ in describe_scenes(split, number) for caption in captions
        )
        for split, number in split_sizes(DRAWN).items()
    }
    return Texts("scenes", **splits, running=False)


def read_docs() -> list[str]:
    """The lines of Python's reference, which comes with it.

    Raises:
        InputError: if this Python came without it.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise InputError(
            "python-docs: this Python came without its documentation (the module pydoc_data); "
            "give the path of a text file"
        ) from None
    return "\n".join(topics[name] for name in sorted(topics)).splitlines()


def _python_docs() -> Texts:
    return _split("python-docs", read_docs())


def _python_licence() -> Texts:
    import os

    folder = Path(os.__file__).parent
    for file in (folder / "LICENSE.txt", folder.parent / "LICENSE.txt", folder / "LICENSE"):
        if file.is_file():
            return _split("python-licence", read_lines(file))
    raise InputError(
        "python-licence: this Python came without its licence as a file; try python-docs, or give "
        "the path of a text file"
    )


NAMED = {"scenes": _scenes, "python-docs": _python_docs, "python-licence": _python_licence}
"""Texts that need no file and no network."""


def read_lines(file: Path) -> list[str]:
    """The lines of a text file.

    Raises:
        InputError: if it is missing, empty or no text.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        names = ", ".join(NAMED)
        raise InputError(
            f"{file}: no such file; give a text file, a data set with captions, or one of: {names}"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file}: no text in UTF-8 (byte {error.start}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error})") from None
    if not text.strip():
        raise InputError(f"{file}: empty; give a text with words in it")
    return text.removesuffix("\n").split("\n")


def _split(name: str, lines: Iterable[str]) -> Texts:
    """A running text: val and test are its end, as one would go on to read it."""
    every = tuple(lines)
    held = max(1, int(len(every) * SHARE))
    return Texts(name, every[: -2 * held], every[-2 * held : -held], every[-held:], running=True)


def _turned(texts: Texts) -> Texts:
    """Lines taken apart and shuffled, or lines of a data set read as running text."""
    if not texts.running:
        return Texts(texts.name, texts.train, texts.val, texts.test, running=True)
    every = [line for line in (*texts.train, *texts.val, *texts.test) if line.strip()]
    random.Random(0).shuffle(every)
    split = _split(texts.name, every)
    return Texts(texts.name, split.train, split.val, split.test, running=False)
