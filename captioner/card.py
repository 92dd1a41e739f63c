"""The card of a model: what it is, what it learned from, how good it is."""

import json
from typing import Any

from captioner.config import ModelConfig


def write_card(config: ModelConfig, notes: dict[str, Any]) -> str:
    """A model's README.md.

    Args:
        config: What the network is.
        notes: Its metrics.json: `metrics` by split, and `training`.
    """
    encoder, decoder, training = config.encoder, config.decoder, notes["training"]
    scores = "\n".join(
        f"| {split} | {name} | {value:.4f} | {values['photos']} |"
        for split, values in notes["metrics"].items()
        for name, value in values.items()
        if name != "photos"
    )
    return f"""# A {decoder.cell.upper()} captioner, trained on {training["data"]}

`{encoder.backbone}` (frozen, ImageNet weights, {encoder.preprocessing.size} x \
{encoder.preprocessing.size} pixels, {encoder.preprocessing.fit}) gives {encoder.features} features;
a {decoder.layers}-layer {decoder.cell} of {decoder.hidden} units writes the caption.

    captioner caption photo.jpg --model PATH_OF_THIS_FOLDER

## Trained on

{training["photos"]} photos with {training["captions"]} captions of `{training["data"]}`,
{training["words"]} words. The terms of those photos and captions hold for what is made of it.

## Scores

| split | metric | value | photos |
|---|---|---|---|
{scores}

## Limits

It knows only what its training photos show, says it in the words of their captions, and invents
where a photo shows something else. Not for decisions about people.

## Made by

    {training["command"]}

commit {training["commit"]}, seed {training["seed"]}, {training["date"]}; settings:

```json
{json.dumps(training["settings"], indent=1)}
```
"""
