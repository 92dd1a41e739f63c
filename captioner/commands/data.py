"""`captioner data`, also the scripts `data/prepare_*.py`."""

import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from captioner.commands import finish, say
from captioner.files import unwritable


def scenes(
    images: int = 6000,
    seed: int = 0,
    output: Path = Path("data/scenes"),
    workers: int | None = None,
) -> Path:
    """Draw the default data set: pictures of things in places, five captions each.

    Args:
        images: Number of pictures over train, val and test.
        seed: Another seed gives other pictures of the same kind.
        output: The folder to write.
        workers: Number of processes; by default one for each processor.
    """
    from captioner.scenes import prepare_scenes

    try:
        return prepare_scenes(output, images, seed, workers)
    except OSError as error:
        raise unwritable(output, error) from error


def main(argv: Sequence[str] | None = None) -> None:
    """Prepare a data set; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _prepare(argv))


def _prepare(argv: list[str]) -> int:
    from captioner.coco import prepare_coco
    from captioner.flickr8k import prepare_flickr8k

    try:
        folder = tyro.extras.subcommand_cli_from_dict(
            {"scenes": scenes, "coco": prepare_coco, "flickr8k": prepare_flickr8k},
            args=argv,
            prog="captioner data",
            config=(tyro.conf.PositionalRequiredArgs,),
        )
    except KeyboardInterrupt:
        print("captioner: interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    say(f"wrote {folder}")
    return 0
