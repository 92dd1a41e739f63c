"""`captioner doctor`: what may go wrong with a training, found before it does."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import tyro

from captioner.commands import finish, say
from captioner.commands.sources import check_seed, choose_device, find_data
from captioner.errors import InputError
from captioner.presets import PRESETS

if TYPE_CHECKING:
    from captioner.diagnosis import Finding

MARKS = {"well": "ok", "doubtful": "look", "bad": "BAD"}


@dataclass(frozen=True)
class DoctorOptions:
    """Look for what may go wrong: photos in two splits, words that are not known, captions that are
    cut, a model that does not look at the photo, and more; each finding with its remedy."""

    data: str = "scenes"
    """Data set, as for train.py."""
    model: str | None = None
    """Also a trained captioner: folder of a model or of a run, or the name of a model that comes
    with the package."""
    preset: str = "lstm"
    """Settings of the training that is to come, as for train.py; a model has its own."""
    photos: bool = True
    """Look at every photo, whether it can be read and is in two splits: seconds for each thousand.
    --no-photos leaves that out."""
    format: Literal["text", "json"] = "text"
    """json: a list of findings."""
    seed: int = 0
    """Of what is drawn by lot."""
    split_seed: int = 0
    """Draws the splits of a data set that names none; the same as in training."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""


def main(argv: Sequence[str] | None = None) -> None:
    """Examine; exit code 1 where a finding is bad."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _examine(tyro.cli(DoctorOptions, args=argv, prog="captioner doctor")))


def _examine(options: DoctorOptions) -> int:
    if options.preset not in PRESETS:
        raise InputError(f"--preset {options.preset}: choose among {', '.join(PRESETS)}")
    check_seed(options.seed)
    from captioner.diagnosis import examine
    from captioner.material import Run

    run = Run(
        data=str(find_data(options.data)),
        seed=options.seed,
        split_seed=options.split_seed,
        skip_bad=True,
        backbone_weights=None,
        device=choose_device(options.device),
        config=PRESETS[options.preset],
    )
    findings = []
    for finding in examine(run, options.model, options.photos):
        findings.append(finding)
        if options.format == "text":
            say("\n".join(_lines(finding)))
    if options.format == "json":
        say(json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False))
    bad = sum(finding.level == "bad" for finding in findings)
    doubtful = sum(finding.level == "doubtful" for finding in findings)
    print(f"{len(findings)} checks: {bad} bad, {doubtful} to look at", file=sys.stderr)
    return int(bad > 0)


def _lines(finding: "Finding") -> Iterator[str]:
    """A finding as text, and its remedy under it."""
    width = max(60, shutil.get_terminal_size().columns)
    head = f"{MARKS[finding.level]:<5}{finding.check:<20} "
    indent = " " * len(head)
    for number, part in enumerate(finding.told.splitlines()):
        yield textwrap.fill(
            part, width, initial_indent=indent if number else head, subsequent_indent=indent
        )
    if finding.remedy:
        yield textwrap.fill(
            finding.remedy, width, initial_indent=f"{indent}-> ", subsequent_indent=f"{indent}   "
        )
