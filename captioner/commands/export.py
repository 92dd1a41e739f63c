"""`captioner export`: a captioner as files that need no torch."""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from captioner.commands import finish, say
from captioner.errors import InputError

DRAWN = 24
"""Pictures that are drawn where no photos are given; the fewest that a set of scenes has."""


@dataclass(frozen=True)
class ExportOptions:
    """Export a captioner, and hold the export against the model on some pictures."""

    model: Annotated[str, tyro.conf.Positional]
    """Folder of a model or of a run, or the name of a model that comes with the package."""
    folder: Annotated[Path, tyro.conf.Positional]
    """Folder to write: a new or empty one, or an earlier export. In `onnx` in the model's own
    folder, or in its run's, `captioner caption --model` finds it by itself."""
    to: Literal["onnx"] = "onnx"
    """onnx: for onnxruntime."""
    precision: Literal["float32", "float16", "int8"] = "float32"
    """float32: the same captions as the model. float16: half the space, nearly the same captions.
    int8: computes in whole numbers; smallest, fastest, least exact."""
    photos: tuple[str, ...] = ()
    """Photos, folders and globs to compare captions on, and for int8 to see the ranges of what it
    computes; by default some pictures are drawn."""


def main(argv: Sequence[str] | None = None) -> None:
    """Export; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _export(tyro.cli(ExportOptions, args=argv, prog="captioner export")))


def _export(options: ExportOptions) -> int:
    from captioner.exporting import check_place, export_model
    from captioner.images import find_photos

    check_place(options.folder)
    photos, problems = find_photos(options.photos)
    if problems:
        raise InputError("; ".join(problems))
    with tempfile.TemporaryDirectory() as drawings:
        if not options.photos:
            from captioner.scenes import prepare_scenes

            prepare_scenes(Path(drawings), images=DRAWN, workers=1)
            photos, _ = find_photos([drawings])
        agreement = export_model(options.model, options.folder, options.precision, photos)
    size = sum(file.stat().st_size for file in options.folder.iterdir()) / 1e6
    say(
        f"wrote {options.folder}, {size:.1f} MB: {agreement.same_captions} of {agreement.photos} "
        f"captions are the model's; outputs differ by at most {agreement.difference:.1g} of their "
        "size"
    )
    return 0
