"""`captioner lm`: language models, the decoder without a photo."""

import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from captioner.commands import choose, finish, say
from captioner.commands.sources import check_seed, choose_device, read_text
from captioner.errors import InputError

if TYPE_CHECKING:
    from captioner.language import TextScore

COMMANDS = {
    "train": "train a language model on a text",
    "write": "let it write",
    "score": "how likely sentences are",
    "inspect": "look at its units, its gates and the words that it expects",
}


@dataclass(frozen=True)
class WriteOptions:
    """Let a language model write, from a prompt on."""

    model: Annotated[str, tyro.conf.Positional]
    """Folder of a language model or of its run."""
    prompt: str = ""
    """What the text begins with."""
    temperature: float = 0.8
    """Below 1 it keeps to likely words, above 1 it dares; 0 always takes the likeliest."""
    top_k: int = 0
    """Choose among so many likeliest words only; 0 for all."""
    top_p: float = 1.0
    """Choose among the fewest words that hold this share of the chance."""
    length: int = 200
    """Words, or characters, to add; where lines stand apart, at most so many."""
    num: int = 1
    """Texts to write."""
    seed: int = 0
    """Same seed, same text."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""


@dataclass(frozen=True)
class ScoreOptions:
    """How likely sentences are: log-probability in nats, and perplexity per word."""

    model: Annotated[str, tyro.conf.Positional]
    """Folder of a language model or of its run."""
    texts: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Sentences; text files, of which each line is one; - for the lines of stdin."""
    format: Literal["text", "json"] = "text"
    """text: a table. json: a line per sentence with text, log_prob, perplexity."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""


def main(argv: Sequence[str] | None = None) -> None:
    """Choose among the commands of language models; exit codes as of `finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    name = choose("captioner lm", COMMANDS, argv)
    if name == "write":
        finish(lambda: _write(tyro.cli(WriteOptions, args=argv[1:], prog="captioner lm write")))
    elif name == "score":
        finish(lambda: _score(tyro.cli(ScoreOptions, args=argv[1:], prog="captioner lm score")))
    elif name:
        importlib.import_module(f"captioner.commands.lm_{name}").main(argv[1:])


def _write(options: WriteOptions) -> int:
    if options.length < 1 or options.num < 1:
        raise InputError("--length and --num must be above 0")
    if options.temperature < 0 or options.top_k < 0 or not 0 < options.top_p <= 1:
        raise InputError(
            "--temperature and --top-k must not be below 0; --top-p must be above 0 and at most 1"
        )
    from captioner.language import LanguageModel

    check_seed(options.seed)
    model = LanguageModel.from_pretrained(options.model, choose_device(options.device))
    unknown = [
        word
        for line in options.prompt.split("\n")
        for word in model.vocabulary.split(line)
        if word not in model.vocabulary.index
    ]
    if unknown:
        print(f"captioner: unknown to this model: {', '.join(unknown)}", file=sys.stderr)
    for text in model.write(
        options.prompt,
        options.length,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        num=options.num,
        seed=options.seed,
    ):
        say(text)
    return 0


def _score(options: ScoreOptions) -> int:
    lines = [line for source in options.texts for line in read_text(source).split("\n")]
    texts = [line for line in lines if line.strip()]
    if not texts:
        raise InputError("which sentences? give some, or text files, or - for stdin")
    from captioner.language import LanguageModel

    model = LanguageModel.from_pretrained(options.model, choose_device(options.device))
    scores = model.score(texts)
    if options.format == "json":
        for score in scores:
            say(json.dumps(_record(score), ensure_ascii=False))
        return 0
    unit = {"word": "word", "char": "character"}[model.vocabulary.unit]
    say(f"{'log-prob.':>10} {'perplexity':>11}   (nats; per {unit})")
    for score in scores:
        say(f"{score.log_prob:10.2f} {score.perplexity:11.2f}   {score.text}")
    if len(scores) > 1:
        say(f"likeliest: {max(scores, key=lambda score: score.log_prob).text}")
    unknown = sorted({word for score in scores for word in score.unknown})
    if unknown:
        print(f"captioner: unknown to this model: {', '.join(unknown)}", file=sys.stderr)
    return 0


def _record(score: "TextScore") -> dict[str, str | float]:
    return {"text": score.text, "log_prob": score.log_prob, "perplexity": score.perplexity}
