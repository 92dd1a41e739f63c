"""`python -m captioner.reading`: the four shapes of input and output, in one table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import tyro

from captioner.commands import finish, say
from captioner.commands.settings import check_recipe
from captioner.commands.sources import check_seed
from captioner.config import Cell, Recipe

SEEDS = 3
"""Networks of each kind that are trained; the table gives their mean and their range."""


@dataclass(frozen=True)
class Options:
    """One-to-one, one-to-many, many-to-one, many-to-many: learn an example of each shape of input
    and output from the captions of drawn scenes, and see where reading in both directions helps.
    """

    cell: Cell = "gru"
    """Recurrent cell where the table does not compare all three."""
    layers: int = 2
    """Layers of the deep networks."""
    epochs: int = 6
    """Times that every caption is seen."""
    scenes: int = 1600
    """Scenes whose captions are learned from and tested on; nothing is drawn."""
    seed: int = 0
    """Of the first of three networks of each kind; same seed, same numbers."""


def main(argv: Sequence[str] | None = None) -> None:
    """Learn and print; exit codes as of `captioner.commands.finish`."""
    finish(lambda: _compare(tyro.cli(Options, args=argv, prog="python -m captioner.reading")))


def _compare(options: Options) -> int:
    recipe = Recipe(
        cell=options.cell,
        layers=options.layers,
        embedding=32,
        hidden=48,
        learning_rate=1e-2,
        warmup=20,
        epochs=options.epochs,
        clip_norm=1.0,
    )
    check_recipe(recipe)
    check_seed(options.seed + SEEDS - 1)
    from tqdm import tqdm

    from captioner.reading.learning import learn
    from captioner.reading.shapes import list_examples

    examples = list_examples(options.scenes, recipe)
    shown: list[str] = []
    say(f"{'shape':<13} {'asked':<24} {'network':<24} {'blind':>5} {'right':>6}   of {SEEDS} seeds")
    with tqdm(total=SEEDS * len(examples), unit="network", disable=None) as bar:
        for example in examples:
            scores = []
            for seed in range(options.seed, options.seed + SEEDS):
                bar.set_description(f"{example.shape}, {example.network}")
                score, answers = learn(example, recipe, seed)
                scores.append(score)
                bar.update()
            shown += answers
            for asked, guess, right in zip(
                example.asked, example.guesses, zip(*scores, strict=True), strict=True
            ):
                with tqdm.external_write_mode():
                    say(
                        f"{example.shape:<13} {asked:<24} {example.network:<24} {guess:>5.0%} "
                        f"{statistics.mean(right):>6.1%}   {min(right):.1%} to {max(right):.1%}"
                    )
    say("\n".join(["", "captions from facts, never seen in training:", *shown[-3:]]))
    return 0


if __name__ == "__main__":
    main()
