"""`captioner lm inspect`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from captioner.commands import finish, say
from captioner.commands.sources import read_text
from captioner.errors import InputError
from captioner.plotting import visible

if TYPE_CHECKING:
    from captioner.inspection import Expected
    from captioner.language import LanguageModel

LONGEST = 2000
"""Tokens of a text that can still be looked at."""


@dataclass(frozen=True)
class InspectOptions:
    """Look inside a language model as it reads: the words that it expects at each step, and with
    --output its units over the text, its gates and how far back its gradients reach."""

    model: Annotated[str, tyro.conf.Positional]
    """Folder of a language model or of its run."""
    text: Annotated[str, tyro.conf.Positional]
    """What it reads: the text itself, a text file, or - for stdin."""
    units: tuple[int, ...] = ()
    """Units to show, counted from 0; by default those that change most over the text."""
    num_units: int = 5
    """How many of these."""
    layer: int | None = None
    """Layer of the units and gates, counted from 1, the lowest; by default the highest."""
    next_words: int = 5
    """How many of the likeliest next words to tell at each step."""
    compare: tuple[str, ...] = ()
    """More models, whose gradients are drawn beside this one's: an rnn beside a gru and an lstm."""
    output: Path | None = None
    """Folder for units.html, units.png, gates.png (gru, lstm), gradients.png, next_words.html and
    next_words.png."""


def main(argv: Sequence[str] | None = None) -> None:
    """Look inside; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _inspect(tyro.cli(InspectOptions, args=argv, prog="captioner lm inspect")))


def _inspect(options: InspectOptions) -> int:
    for name in ("num_units", "next_words"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be above 0")
    if options.compare and not options.output:
        raise InputError("--compare draws gradients.png; say by --output in which folder")
    text = read_text(options.text)
    if not text.strip():
        raise InputError("which text? give it in quotes, or a text file, or - for stdin")
    from captioner.inspection import next_words
    from captioner.language import LanguageModel

    model = LanguageModel.from_pretrained(options.model)
    _check(options, model, text)
    others = {name: LanguageModel.from_pretrained(name) for name in options.compare}
    for name, other in others.items():
        if other.vocabulary.unit != model.vocabulary.unit:
            raise InputError(
                f"{name}: one model reads words, the other characters; compare like with like"
            )
    steps = next_words(model, text, options.next_words)
    # A file in another encoding need not have our signs; the rest is worth reading all the same.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    for line in _table(steps):
        say(line)
    unknown = sorted({step.came for step in steps} - {*model.vocabulary.words, "\n"})
    if unknown:
        print(f"captioner: unknown to this model: {', '.join(unknown)}", file=sys.stderr)
    if options.output:
        _draw(options, options.output, text, steps, model, others)
    return 0


def _draw(
    options: InspectOptions,
    folder: Path,
    text: str,
    steps: "list[Expected]",
    model: "LanguageModel",
    others: "dict[str, LanguageModel]",
) -> None:
    """All pictures of one model, and where they are."""
    from captioner import inspection, plotting

    config, unit = model.config.decoder, model.vocabulary.unit
    layer = (options.layer or config.layers) - 1
    tokens, h = inspection.activations(model, text, layer)
    units = list(options.units) or inspection.busiest_units(h, options.num_units)
    names = [f"unit {number}" for number in units]
    title = f"Units of {options.model}, a language model ({config.cell}, layer {layer + 1})"
    plotting.plot_text_html(tokens, h[:, units], names, folder / "units.html", unit, title)
    plotting.plot_text(tokens, h[:, units], names, folder / "units.png", unit)
    title = f"What {options.model} expects"
    plotting.plot_next_words_html(steps, folder / "next_words.html", title)
    plotting.plot_next_words(steps, folder / "next_words.png")
    norms = {
        name: inspection.gradient_by_distance(each, text)
        for name, each in _named({options.model: model} | others).items()
    }
    plotting.plot_gradients(norms, folder / "gradients.png")
    written = ["units.html", "units.png", "next_words.html", "next_words.png", "gradients.png"]
    if config.cell in inspection.GATES:
        gates = inspection.gates(model, text, layer)
        plotting.plot_gates(tokens, gates, folder / "gates.png", units)
        written.append("gates.png")
    print(f"captioner: in {folder}: {', '.join(written)}", file=sys.stderr)


def _named(models: "dict[str, LanguageModel]") -> "dict[str, LanguageModel]":
    """By their cells, or by their folders where two have the same cell."""
    by_cell: dict[str, LanguageModel] = {}
    for model in models.values():
        by_cell[model.config.decoder.cell] = model
    return by_cell if len(by_cell) == len(models) else models


def _check(options: InspectOptions, model: "LanguageModel", text: str) -> None:
    """Refuse a layer or a unit that the model does not have, and a text without end."""
    layers, hidden = model.config.decoder.layers, model.config.decoder.hidden
    if options.layer is not None and not 1 <= options.layer <= layers:
        have = "one layer" if layers == 1 else f"layers 1 to {layers}"
        raise InputError(f"--layer {options.layer}: this model has {have}")
    for unit in options.units:
        if not 0 <= unit < hidden:
            raise InputError(f"--units {unit}: this model has units 0 to {hidden - 1}")
    tokens = sum(len(model.vocabulary.split(line)) + 1 for line in text.split("\n"))
    if tokens > LONGEST:
        raise InputError(
            f"the text has {tokens} tokens, more than anybody would look at; give {LONGEST} at most"
        )


def _table(steps: "list[Expected]") -> list[str]:
    """A line for each step: what came, its probability, and the likeliest."""
    shown = [
        [visible(token, space="␣") for token in (step.came, *(word for word, _ in step.likeliest))]
        for step in steps
    ]
    first = max(4, *(len(row[0]) for row in shown))
    width = max(len(word) for row in shown for word in row[1:])
    lines = [f"{'came':<{first}} {'prob.':>6}   likeliest before it came"]
    for step, (came, *words) in zip(steps, shown, strict=True):
        best = "  ".join(
            f"{word:<{width}} {chance:.3f}"
            for word, (_, chance) in zip(words, step.likeliest, strict=True)
        )
        lines.append(f"{came:<{first}} {step.probability:6.3f}   {best}")
    return lines
