"""`captioner metrics`: scores of anyone's captions, without torch."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from captioner.commands import finish, say
from captioner.commands.output import check_place
from captioner.commands.sources import check_seed
from captioner.errors import InputError

if TYPE_CHECKING:
    from captioner.metrics.meteor import Meteor
    from captioner.scoring import Scored

LONGEST = 1e6
"""Seconds that a program may take, at most: more than a week."""


@dataclass(frozen=True)
class MetricsOptions:
    """Score a COCO results file: BLEU-1..4, ROUGE-L, CIDEr and CIDEr-D as the official evaluation
    computes them, and METEOR and SPICE if asked for."""

    results: Annotated[Path, tyro.conf.Positional]
    """JSON list of {"image_id": ..., "caption": ...}."""
    references: Annotated[Path, tyro.conf.Positional]
    """Captions that people wrote, in COCO's format."""
    against: Path | None = None
    """Another results file of the same photos: how much better the first one is, and how surely."""
    training: Path | None = None
    """Captions learned from, in COCO's format: tells how many captions are copies of them."""
    person: bool = False
    """Also score each human caption against the others of its photo, and the captions on the same
    terms."""
    meteor: Literal["no", "auto", "official", "python"] = "no"
    """METEOR: official takes Java and pycocoevalcap, python does without Java, auto takes what is
    there."""
    spice: bool = False
    """SPICE; takes Java, pycocoevalcap and its Stanford models."""
    timeout: float = 3600.0
    """Seconds that a program in Java may take."""
    partial: bool = False
    """Score the photos that have a caption, where some have none."""
    format: Literal["table", "json"] = "table"
    """What is printed."""
    output: Path | None = None
    """JSON file for the scores."""
    seed: int = 0
    """Of the bootstrap."""


def main(argv: Sequence[str] | None = None) -> None:
    """Score a results file; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _metrics(tyro.cli(MetricsOptions, args=argv, prog="captioner metrics")))


def _check_output(place: Path, options: MetricsOptions) -> None:
    read = (options.results, options.references, options.against, options.training)
    if place.resolve() in [file.resolve() for file in read if file]:
        raise InputError(f"--output {place}: is read as well; give another name")
    check_place(place)


def _metrics(options: MetricsOptions) -> int:
    check_seed(options.seed)
    if not 0 < options.timeout <= LONGEST:
        raise InputError(f"--timeout {options.timeout}: choose a number above 0, up to {LONGEST:g}")
    if options.output:
        _check_output(options.output, options)
    from captioner.files import write_json
    from captioner.results_files import pair_up, read_captions, read_references
    from captioner.scoring import add_metrics, choose_meteor, known_captions, score

    references = read_references(options.references)
    known = None
    if options.training:
        told = read_references(options.training).values()
        known = known_captions([caption for photo in told for caption in photo])
    files = [options.results, *([options.against] if options.against else [])]
    captions = [read_captions(file) for file in files]
    pairs = [
        pair_up(told, references, options.partial, file, options.references)
        for told, file in zip(captions, files, strict=True)
    ]
    if options.against and pairs[0].photos != pairs[1].photos:
        raise InputError(
            f"{options.against}: its photos are not those of {options.results}, so that the two "
            "cannot be compared photo by photo"
        )
    meteor, name = None, ""
    if options.meteor != "no":
        meteor, name = choose_meteor(options.meteor, options.timeout)
    scored = [score(found.captions, found.references, known, options.seed) for found in pairs]
    if meteor or options.spice:
        more = (meteor, options.spice, options.timeout, options.seed)
        scored = [add_metrics(one, *more) for one in scored]
    record = scored[0].record
    if meteor:
        record["meteor"] = name
    if options.person:
        record["person"] = _person(scored[0], meteor, options.references)
    if options.against:
        record["against"] = _compare(scored, options)
    if options.output:
        write_json(options.output, record)
        print(f"scores: {options.output}", file=sys.stderr)
    say(json.dumps(record, indent=1) if options.format == "json" else _table(record, options))
    return 0


def _person(scored: "Scored", meteor: "Meteor | None", file: Path) -> dict[str, Any]:
    from captioner.scoring import leave_one_out

    fewest = min(map(len, scored.references))
    if fewest < 2:
        raise InputError(
            f"{file}: a photo has one human caption alone, with nothing to hold it against; leave "
            "out --person"
        )
    people, captions = leave_one_out(scored.references, scored.words, meteor)
    return {"metrics": people, "captions": captions, "references": fewest - 1}


def _compare(scored: "list[Scored]", options: MetricsOptions) -> dict[str, Any]:
    from captioner.metrics import compare

    found = compare(scored[0].each, scored[1].each, seed=options.seed)
    return {
        "results": str(options.against),
        "metrics": scored[1].record["metrics"],
        "comparison": {
            name: {**one._asdict(), "interval": list(one.interval)} for name, one in found.items()
        },
    }


def _table(record: dict[str, Any], options: MetricsOptions) -> str:
    """The scores, then what else was asked for, as text."""
    from captioner.scoring import table

    lines = [table(record)]
    shares = record["shares"]
    told = {
        "different captions": f"{record['different_captions']} of {record['photos']}",
        "different words": record["vocabulary"],
        "words in a caption": f"{record['mean_length']:.1f}",
        "captions that break off": f"{shares['break_off']:.1%}",
        "captions that say a thing twice": f"{shares['say_something_twice']:.1%}",
    }
    if "training_captions" in shares:
        told["captions that are new"] = f"{1 - shares['training_captions']:.1%}"
    if "meteor" in record:
        told["METEOR by"] = record["meteor"]
    lines += ["", *(f"{name}: {value}" for name, value in told.items())]
    if person := record.get("person"):
        lines += ["", f"with {person['references']} references, one human caption left out in turn"]
        lines += [f"{'metric':<10} {'people':>7} {'these captions':>15}"]
        for name, value in person["metrics"].items():
            lines.append(f"{name:<10} {value:7.4f} {person['captions'][name]:15.4f}")
    if against := record.get("against"):
        lines += ["", f"{options.results.name} against {options.against and options.against.name}"]
        lines += [f"{'metric':<10} {'gain':>7}   95 % interval       better in"]
        for name, one in against["comparison"].items():
            low, high = one["interval"]
            gain = f"{name:<10} {one['difference']:+7.4f}   {low:+.4f} to {high:+.4f}"
            lines.append(f"{gain}   {one['better']:.1%} of resamples")
    return "\n".join(lines)
