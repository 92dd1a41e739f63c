"""`python -m captioner.reading`: an example of each shape of input and output, in one table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import tyro

from captioner.commands import finish, say
from captioner.commands.settings import check_recipe
from captioner.commands.sources import check_seed
from captioner.config import Cell, Recipe

SEEDS = 3
"""Networks trained for each line; the table gives their mean and their range."""


@dataclass(frozen=True)
class Options:
    """One-to-one, one-to-many, many-to-one, many-to-many: learn an example of each from captions of
    drawn scenes, and see where it helps to read in both directions, and where it does not."""

    cell: Cell = "gru"
    """Recurrent cell, where the table does not compare all three."""
    layers: int = 2
    """Layers of the deep networks; with 1 there are none."""
    epochs: int = 4
    """Times that every caption is seen."""
    scenes: int = 900
    """Scenes, over all splits, that the captions are of; no picture is drawn."""
    seed: int = 0
    """Of the first network of each line; same seed, same numbers."""


def main(argv: Sequence[str] | None = None) -> None:
    """Learn and print; exit codes as of `captioner.commands.finish`."""
    finish(lambda: _compare(tyro.cli(Options, args=argv, prog="python -m captioner.reading")))


def _compare(options: Options) -> int:
    recipe = Recipe(
        cell=options.cell,
        layers=options.layers,
        embedding=32,
        hidden=48,
        learning_rate=3e-2,
        warmup=20,
        epochs=options.epochs,
        clip_norm=1.0,
    )
    check_recipe(recipe)
    check_seed(options.seed)
    import torch
    from tqdm import tqdm

    from captioner.reading.learning import learn
    from captioner.reading.shapes import list_examples

    torch.set_num_threads(1)  # in networks so small several would wait for one another
    examples = list_examples(options.scenes, recipe)
    shown: list[str] = []
    say(_line("shape", "question", "network", "blind", "right", f"of {SEEDS} seeds"))
    with tqdm(total=SEEDS * len(examples), unit="network", disable=None) as bar:
        for example in examples:
            scores = []
            for seed in range(options.seed, options.seed + SEEDS):
                score, answers = learn(example, recipe, seed)
                scores.append(score)
                bar.update()
            shown += answers
            for number, question in enumerate(example.questions):
                right = [score[number] for score in scores]
                with tqdm.external_write_mode():
                    say(
                        _line(
                            example.shape,
                            question,
                            example.network,
                            f"{example.blind[number]:.0%}",
                            f"{statistics.mean(right):.0%}",
                            f"{min(right):.0%} to {max(right):.0%}",
                        )
                    )
    say("\nblind: right without a look, by the commonest answer or the caption of another scene")
    say("\n".join(["\ncaptions from facts, of scenes that no network learned from:", *shown]))
    return 0


def _line(shape: str, question: str, network: str, blind: str, right: str, spread: str) -> str:
    return f"{shape:<13} {question:<24} {network:<24} {blind:>5} {right:>6}  {spread}"


if __name__ == "__main__":
    main()
