"""A run of a language model: a text and settings go in, a folder with a trained model comes out.

text -> lines -> vocabulary -> fit -> OUT/best
"""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from captioner.card import write_language_card
from captioner.checkpoint import save_model
from captioner.config import DecoderConfig, LanguageConfig, LanguageTrainConfig
from captioner.data import CaptionData, RunningText
from captioner.errors import InputError
from captioner.files import write_json
from captioner.language import LanguageModel
from captioner.logbook import Logbook
from captioner.plotting import LANGUAGE
from captioner.provenance import provenance
from captioner.resume import RunState
from captioner.runs import same_data
from captioner.texts import read_texts
from captioner.training import fit
from captioner.validation import Perplexity
from captioner.vocabulary import SPECIAL, Vocabulary

logger = logging.getLogger("captioner")


@dataclass(frozen=True)
class LanguageRun:
    """What a run is, saved as run.json in its folder; resuming needs nothing else."""

    text: str
    """Name or path of the text."""
    seed: int
    """Of the weights and of the order of the lines."""
    device: str
    """Where to train."""
    config: LanguageTrainConfig
    """How to train."""


def train_language_model(folder: Path, run: LanguageRun) -> RunState:
    """Train as `run` says, or go on where an interruption left it; the best model is FOLDER/best.

    Raises:
        InputError: if the text or the folder cannot be used, or training diverges.
    """
    config = run.config
    texts = read_texts(run.text, config.lines)
    fingerprint = texts.fingerprint()
    same_data(folder, run.text, fingerprint)
    vocabulary = Vocabulary.of(texts.train, config.min_count, unit=config.unit)
    if len(vocabulary) == len(SPECIAL):
        raise InputError(
            f"{run.text}: no {config.unit} stands in it {config.min_count} times; "
            "give a longer text, or a smaller --min-count"
        )
    longest = max(len(vocabulary.split(line)) for line in (*texts.train, *texts.val))
    vocabulary = Vocabulary(vocabulary.words, longest, config.unit)
    train, val = (_examples(lines, vocabulary, texts.running, config.chunk)
                  for lines in (texts.train, texts.val))  # fmt: skip
    decoder = DecoderConfig(
        cell=config.cell,
        layers=config.layers,
        embedding=config.embedding,
        hidden=config.hidden,
        dropout=config.dropout,
        features=0,
    )
    torch.manual_seed(run.seed)
    model = LanguageModel(LanguageConfig(decoder, texts.running), vocabulary).to(run.device)
    logger.info(
        "%d lines to learn from, %d different %ss, %d weights to train",
        len(texts.train),
        len(vocabulary),
        config.unit,
        sum(weight.numel() for weight in model.decoder.parameters()),
    )
    write_json(folder / "data.json", {"fingerprint": fingerprint})
    about = provenance(run.seed) | {
        "data": texts.name,
        "data_fingerprint": fingerprint,
        "lines": len(texts.train),
        "words": len(vocabulary),
        "settings": asdict(config),
    }

    def keep_best(model: LanguageModel, record: dict[str, Any]) -> None:
        metrics = {"val": {"perplexity": record["val_perplexity"], "lines": len(texts.val)}}
        notes = {"metrics": metrics, "training": about | record}
        tensors = {name: value.detach().cpu() for name, value in model.state_dict().items()}
        card = write_language_card(model.config, config.unit, notes)
        save_model(folder / "best", model.config, vocabulary, tensors, notes, card)

    logbook = Logbook(folder, _told, LANGUAGE)
    try:
        goal = Perplexity(val, config.batch_size)
        return fit(model, train, goal, config, run.seed, folder, keep_best, logbook)
    except FloatingPointError as error:
        raise InputError(f"{folder}: {error}") from None
    finally:
        logbook.close()


def _examples(
    lines: tuple[str, ...], vocabulary: Vocabulary, running: bool, chunk: int
) -> CaptionData | RunningText:
    if running:
        return RunningText(lines, vocabulary, chunk)
    import numpy as np

    # A line that stands apart is a caption of a photo of which nothing is known.
    said = [line for line in lines if line.strip()]
    return CaptionData([[line] for line in said], np.empty((len(said), 0)), vocabulary)


def _told(record: dict[str, Any]) -> str:
    return (
        f"perplexity {record['train_perplexity']:.2f} in training, "
        f"{record['val_perplexity']:.2f} on validation text"
    )
