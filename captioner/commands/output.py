"""Captions on their way out: text, JSON lines or CSV, to stdout or to a file."""

import csv
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.commands import say
from captioner.errors import InputError
from captioner.files import unwritable

if TYPE_CHECKING:
    from captioner.model import Caption

Write = Callable[[str, "list[Caption]"], None]


def check_place(file: Path) -> None:
    """Refuse a place that cannot be written, before hours are spent on what is to go there.

    Raises:
        InputError: if it is a folder, or nothing can be written beside it.
    """
    if file.is_dir():
        raise InputError(f"{file}: is a folder; give the name of a file")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise unwritable(file, error) from error


@contextmanager
def writer(form: str, output: Path | None, alone: bool) -> Iterator[Write]:
    """A function that writes the captions of a photo.

    Into a file they go under another name first, line by line, and take the file's name when all
    is done, or when the work is interrupted: what was captioned until then is not lost. Where
    nothing was captioned, an old file stays. A photo that is given no captions, for it was left
    out, makes no line.

    Args:
        form: text, json or csv.
        output: File, or None for stdout.
        alone: One photo only, so that text needs no path before the caption.

    Raises:
        InputError: if the file cannot be written.
    """
    if output is None:
        # A file name need not be UTF-8; the rest of the line is worth having all the same.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        yield _formatted(form, alone, lambda line: say(line, end=""))
        return
    check_place(output)
    partial = output.with_name(f".{output.name}.part")
    whole: int | None = None
    try:
        file = partial.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise unwritable(output, error) from error

    def write_to_file(line: str) -> None:
        nonlocal whole
        try:
            file.write(line)
            file.flush()
            whole = file.tell()
        except OSError as error:
            raise unwritable(output, error) from error

    try:
        yield _formatted(form, alone, write_to_file)
    finally:
        with suppress(OSError):  # a full disk was told of above
            file.close()
        try:
            if whole is not None:
                os.truncate(partial, whole)  # a line that a full disk cut
                partial.replace(output)
        except OSError as error:
            raise unwritable(output, error) from error
        finally:
            partial.unlink(missing_ok=True)


def _formatted(form: str, alone: bool, write_line: Callable[[str], None]) -> Write:
    if form == "json":
        return lambda name, found: write_line(_json_line(name, found))
    if form == "text":
        start = (lambda name: "") if alone else (lambda name: f"{name}\t")
        return lambda name, found: write_line(
            "".join(f"{start(name)}{caption.caption}\n" for caption in found)
        )
    heads = iter([_csv_line("image", "caption", "log_prob", "confidence")])
    return lambda name, found: write_line(
        next(heads, "") + "".join(_csv_line(name, *_fields(caption)) for caption in found)
    )


def _fields(caption: "Caption") -> tuple[str, str, str]:
    told = "" if caption.confidence is None else f"{caption.confidence:.4f}"
    return caption.caption, f"{caption.log_prob:.4f}", told


def _json_line(name: str, found: "list[Caption]") -> str:
    if not found:
        return ""
    captions = [
        {"caption": c.caption, "log_prob": round(c.log_prob, 4)}
        | ({} if c.confidence is None else {"confidence": round(c.confidence, 4)})
        for c in found
    ]
    return json.dumps({"image": name, "captions": captions}, ensure_ascii=False) + "\n"


def _csv_line(*fields: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(fields)
    return line.getvalue()
