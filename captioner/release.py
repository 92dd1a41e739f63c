"""Make the copy of a trained model that is given to others: fp16, with its test scores on its card.

python -m captioner.release runs/flickr8k-lstm captioner/models/flickr8k results/scores.json
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import tyro

from captioner.commands import finish


def release(model: Path, output: Path, scores: Path, note: Path | None = None) -> int:
    """Copy a model with its weights halved; its consensus and its confidence go with it.

    Halved weights give hardly ever another caption, so that what was learned of the model's
    captions holds for those of the copy.

    Args:
        model: Folder of the model or of its run.
        output: Folder of the copy.
        scores: Record that evaluate.py wrote of it.
        note: Text to stand on the card: where the data come from, what the model cannot do.
    """
    from captioner.backbones import fingerprint
    from captioner.card import write_card
    from captioner.checkpoint import save_model
    from captioner.confidence import FILE as CONFIDENCE
    from captioner.confidence import weights_of
    from captioner.files import read_json, write_json
    from captioner.folders import find_model
    from captioner.model import Captioner

    folder = find_model(model)
    captioner = Captioner.from_pretrained(folder)
    notes: dict[str, Any] = read_json(folder / "metrics.json", "the scores of a model")
    record = read_json(scores, "the record of an evaluation")
    notes["metrics"][record["split"]] = {**record["metrics"], "photos": record["photos"]}
    halved = {
        name: value.half() if value.is_floating_point() else value
        for name, value in captioner.saved_tensors().items()
    }
    captioner.load_state_dict(halved, strict=False)
    # What is in the folder of the CNN was halved, too; what comes in a package was not.
    sha256 = fingerprint(captioner.encoder.backbone)
    encoder = replace(captioner.config.encoder, weights_sha256=sha256)
    config = replace(captioner.config, encoder=encoder)
    card = write_card(config, notes)
    if note:
        card = f"{card}\n{note.read_text(encoding='utf-8')}"
    save_model(output, config, captioner.vocabulary, halved, notes, card)
    made_from = weights_of(output)
    if consensus := captioner.consensus:
        consensus.config = replace(consensus.config, made_from=made_from)
        consensus.save(output)
    if captioner.confidence:
        confidence = read_json(folder / CONFIDENCE, "the confidence of a model")
        write_json(output / CONFIDENCE, confidence | {"made_from": made_from})
    return 0


if __name__ == "__main__":
    finish(lambda: tyro.cli(release, config=(tyro.conf.Positional,)))
