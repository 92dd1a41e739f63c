"""The card of a model: what it is, what it learned from, how good it is."""

import json
from typing import Any

from captioner.config import LanguageConfig, ModelConfig


def write_card(config: ModelConfig, notes: dict[str, Any]) -> str:
    """A model's README.md.

    Args:
        config: What the network is.
        notes: Its metrics.json: `metrics` by split, and `training`.
    """
    encoder, decoder, training = config.encoder, config.decoder, notes["training"]
    learned = "its last stages trained on" if encoder.tuned else "frozen"
    looks = "" if decoder.kind == "pooled" else f" ({decoder.kind})"
    return f"""# {_called(decoder.cell)} captioner, trained on {training["data"]}

`{encoder.backbone}` ({learned}, ImageNet weights, {encoder.preprocessing.size} x \
{encoder.preprocessing.size} pixels, {encoder.preprocessing.fit}) gives {encoder.features} features;
a {decoder.layers}-layer {decoder.cell} of {decoder.hidden} units{looks} writes the caption.

    captioner caption photo.jpg --model PATH_OF_THIS_FOLDER

## Trained on

{training["photos"]} photos with {training["captions"]} captions of `{training["data"]}`,
{training["words"]} words. The terms of those photos and captions hold for what is made of it.

{_scores(notes["metrics"], "photos")}

## Limits

It knows only what its training photos show, says it in the words of their captions, and invents
where a photo shows something else. Not for decisions about people.

{_made_by(training)}"""


def write_language_card(config: LanguageConfig, unit: str, notes: dict[str, Any]) -> str:
    """The README.md of a language model.

    Args:
        config: What the network is.
        unit: What it reads and writes: word or char.
        notes: Its metrics.json: `metrics` by split, and `training`.
    """
    decoder, training = config.decoder, notes["training"]
    units = {"word": "words", "char": "characters"}[unit]
    return f"""# {_called(decoder.cell)} language model, trained on {training["data"]}

A {decoder.layers}-layer {decoder.cell} of {decoder.hidden} units that reads and writes {units}.

    captioner lm write PATH_OF_THIS_FOLDER --prompt "the"
    captioner lm score PATH_OF_THIS_FOLDER "a sentence"

## Trained on

{training["lines"]} lines of `{training["data"]}`, {training["words"]} different {units}. The terms
of that text hold for what is made of it.

{_scores(notes["metrics"], "lines")}

## Limits

It knows what its text says and how, and nothing of what is true.

{_made_by(training)}"""


def _called(cell: str) -> str:
    """Its name after an article, as it is spoken: an LSTM, an RNN, a GRU."""
    return f"{'A' if cell == 'gru' else 'An'} {cell.upper()}"


def _commands(training: dict[str, Any]) -> str:
    """What made it, and before that the models that it began with, or whose CNN it took."""
    before = [training[name] for name in ("cnn_of", "began_with") if training.get(name)]
    earlier = "".join(f"{_commands(one)}\n" for one in before)
    return f"{earlier}    {training.get('command', 'unknown')}"


def _scores(metrics: dict[str, Any], counted: str) -> str:
    scores = "\n".join(
        f"| {split} | {name} | {value:.4f} | {values[counted]} |"
        for split, values in metrics.items()
        for name, value in values.items()
        if name != counted
    )
    return f"""## Scores

| split | metric | value | {counted} |
|---|---|---|---|
{scores}"""


def _made_by(training: dict[str, Any]) -> str:
    return f"""## Made by

{_commands(training)}

commit {training["commit"]}, seed {training["seed"]}, {training["date"]}; settings:

```json
{json.dumps(training["settings"], indent=1)}
```
"""
