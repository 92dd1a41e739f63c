"""`captioner caption`, also `python caption.py`."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from captioner.commands import finish
from captioner.commands.explained import Explainer
from captioner.commands.output import check_place, writer
from captioner.commands.sources import check_second_opinion
from captioner.config import SearchConfig
from captioner.errors import InputError

if TYPE_CHECKING:
    from captioner.explaining import Explained
    from captioner.images import Source
    from captioner.streaming import Caption, PhotoCaptioner

ON_SHEET = 200
"""Photos on a picture sheet at most: all its pixels are in memory at once."""


@dataclass(frozen=True)
class CaptionOptions:
    """Caption photos."""

    paths: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Photos, folders (searched recursively) and globs; - reads one photo from stdin."""
    model: str = "flickr8k"
    """Folder of a model or of a run, or the name of a model that comes with the package."""
    format: Literal["text", "json", "csv"] = "text"
    """text: the caption, with PATH and a tab before it where there are several photos. json: a line
    per photo. csv: image, caption, log_prob, confidence."""
    output: Path | None = None
    """File to write to instead of stdout."""
    sheet: Path | None = None
    """Also make a picture sheet: a PNG with the photos and their captions under them, the first 200
    of them at most."""
    explain: Path | None = None
    """Also draw why: each word with its chance, what else might have come, where the decoder
    looked, and the beam. A name that ends in .png is for a single photo, any other a folder."""
    lm: Path | None = None
    """Language model (of `captioner lm train`) that sorts the captions of each beam anew."""
    lm_weight: float = 0.1
    """How much its opinion counts; below 0, what is often said of any photo counts against it."""
    min_confidence: float | None = None
    """Leave out photos whose best caption is less likely than this, from 0 to 1, to be good; for
    models that `captioner calibrate` was run on."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    ensemble: tuple[str, ...] = ()
    """More models, which write each caption together with the first."""
    search: Annotated[SearchConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=SearchConfig)


def main(argv: Sequence[str] | None = None) -> None:
    """Caption photos; exit code 1 where some could not be read, 2 where none could.

    A photo that `--min-confidence` leaves out is no failure.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _caption(tyro.cli(CaptionOptions, args=argv, prog="caption.py")))


def _caption(options: CaptionOptions) -> int:
    if not options.paths:
        many = "--must, --must-not and --ensemble take all that follows; put the photos first"
        swallowed = (*options.search.must, *options.search.must_not, *options.ensemble)
        raise InputError(
            "which photos? give files, folders or globs, or - for stdin"
            + (f" ({many})" if swallowed else "")
        )
    check_second_opinion(options.lm, options.search.beam_size)
    _check_confidence(options)
    if options.sheet:
        if options.sheet.suffix.lower() != ".png":
            raise InputError(f"--sheet {options.sheet}: it is a PNG; give a name that ends in .png")
        check_place(options.sheet)
    from captioner.images import find_photos

    files, problems = find_photos([path for path in options.paths if path != "-"])
    sources: list[Source] = list(files)
    if "-" in options.paths:
        sources.append(sys.stdin.buffer.read())
    for problem in problems:
        _report(problem)
    if not sources:
        return 2
    explainer = Explainer(options.explain, sources) if options.explain else None
    captioner = _open(options)
    captioned = failed = left_out = 0
    sheet: list[tuple[Source, str]] = []
    try:
        alone = len(sources) + len(problems) == 1
        with writer(options.format, options.output, alone) as write:
            stream = _stream(captioner, options, sources, explainer)
            for source, told in zip(sources, stream, strict=True):
                if isinstance(told, InputError):
                    failed += 1
                    _report(str(told))
                    continue
                found = told[0][: options.search.num_captions]
                name = "-" if isinstance(source, bytes) else str(source)
                if (doubt := _doubt(found[0], options.min_confidence)) is not None:
                    left_out += 1
                    write(name, [])
                    _report(f"{name}: left out, the confidence is {doubt:.2f}")
                    continue
                captioned += 1
                write(name, found)
                if explainer:
                    explainer.draw(source, told, captioner.preprocessing.fit)
                if options.sheet and len(sheet) < ON_SHEET:
                    sheet.append((source, found[0].caption))
    except KeyboardInterrupt:
        kept = f"; captions are in {options.output}" if options.output and captioned else ""
        _report(f"interrupted after {captioned + failed + left_out} of {len(sources)} photos{kept}")
        return 130
    if options.sheet and not sheet:
        _report("no picture sheet, for there is no caption to put on it")
    elif options.sheet:
        _draw_sheet(sheet, options.sheet)
        if len(sheet) < captioned:
            _report(f"the picture sheet has the first {len(sheet)} of {captioned} photos")
    if explainer and captioned:
        print(f"explained: {options.explain}", file=sys.stderr)
    if left_out:
        _report(f"{left_out} of {len(sources)} photos left out")
    return 2 if not captioned + left_out else 1 if failed or problems else 0


def _check_confidence(options: CaptionOptions) -> None:
    """Refuse a confidence that makes no sense, or that no caption will have."""
    if options.min_confidence is None:
        return
    if not 0 <= options.min_confidence <= 1:
        raise InputError(f"--min-confidence {options.min_confidence}: choose one from 0 to 1")
    if options.search.sample or options.lm or options.ensemble:
        raise InputError(
            "--min-confidence: nothing is known of captions that were drawn by lot, sorted anew or "
            "written by several models; leave out --sample, --lm and --ensemble"
        )


def _doubt(best: "Caption", least: float | None) -> float | None:
    """The confidence of a caption that has too little of it."""
    told = best.confidence
    return told if least is not None and told is not None and told < least else None


def _stream(
    captioner: "PhotoCaptioner",
    options: CaptionOptions,
    sources: "list[Source]",
    explainer: Explainer | None,
) -> "Iterator[Explained | InputError]":
    """Captions of each photo, and the words of the best where they are to be drawn."""
    from tqdm import tqdm

    if options.min_confidence is not None and not captioner.is_confident(options.search):
        if captioner.confidence is None:
            raise InputError(
                f"--min-confidence: {options.model} has no confidence yet; captioner calibrate "
                f"--model {options.model} --data PATH gives it one"
            )
        raise InputError(
            f"--min-confidence: the confidence of {options.model} holds for --beam-size "
            f"{captioner.confidence.beam_size}, --views {captioner.confidence.views} and no other "
            "setting of the search, such as --no-consensus, --must or --no-repeat; leave these "
            "out, or run captioner calibrate with another --beam-size or --views"
        )
    found: Iterator[Explained | InputError]
    if explainer:
        found = explainer.stream(captioner, sources, options.search)
    else:
        captions = captioner.stream(sources, options.search)
        found = (one if isinstance(one, InputError) else (one, []) for one in captions)
    return tqdm(found, total=len(sources), unit="photo", desc="Captions", delay=2, disable=None)


def _open(options: CaptionOptions) -> "PhotoCaptioner":
    from captioner.commands.sources import (
        choose_device,
        open_captioner,
        open_exported,
        second_opinion,
    )

    if not (options.lm or options.ensemble):
        exported = open_exported(options.model, options.device)
        if exported is not None:
            return exported
    device = choose_device(options.device)
    captioner = open_captioner([options.model, *options.ensemble], device)
    if options.lm:
        captioner.rerank = second_opinion(options.lm, options.lm_weight, device)
    return captioner


def _report(problem: str) -> None:
    print(f"captioner: {problem}", file=sys.stderr, flush=True)


def _draw_sheet(pairs: "list[tuple[Source, str]]", file: Path) -> None:
    from PIL import ImageOps

    from captioner.images import open_photo
    from captioner.plotting import SIDE, plot_sheet

    # Made small one by one: thousands of photos in full size would not fit into memory.
    photos = [ImageOps.contain(open_photo(source, SIDE), (SIDE, SIDE)) for source, _ in pairs]
    plot_sheet(photos, [text for _, text in pairs], file)
    print(f"picture sheet: {file}", file=sys.stderr)
