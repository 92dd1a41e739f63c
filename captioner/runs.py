"""A run: a data set and settings go in, a folder with a trained model comes out.

data set -> CNN, once per photo -> feature cache -> PCA, vocabulary -> fit -> OUT/best
"""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from captioner.backbones import load_backbone
from captioner.card import write_card
from captioner.checkpoint import save_model
from captioner.config import DecoderConfig, EncoderConfig, ModelConfig, Preprocessing, TrainConfig
from captioner.data import CaptionData
from captioner.datasets import read_dataset, write_split
from captioner.decoders import DECODERS
from captioner.encoder import Encoder
from captioner.errors import InputError
from captioner.features import dataset_cache, project, with_maps
from captioner.files import read_json, write_json
from captioner.folders import parse
from captioner.language import LanguageModel, check_start, start_decoder
from captioner.logbook import Logbook
from captioner.model import Captioner
from captioner.plotting import CAPTIONER
from captioner.provenance import provenance
from captioner.resume import FILE as CHECKPOINT
from captioner.resume import RunState
from captioner.training import fit
from captioner.validation import Validation
from captioner.vocabulary import Vocabulary

logger = logging.getLogger("captioner")


@dataclass(frozen=True)
class Run:
    """What a run is, saved as run.json in its folder; resuming needs nothing else."""

    data: str
    """Path of the data set."""
    seed: int
    """Of the weights and of the order of the captions."""
    split_seed: int
    """Draws the splits of a data set that names none."""
    skip_bad: bool
    """Leave bad entries and photos out rather than refuse the data set."""
    backbone_weights: str | None
    """A local file with the weights of the CNN."""
    device: str
    """Where to train."""
    config: TrainConfig
    """How to train."""
    init_decoder: str | None = None
    """A language model whose words and cell the decoder begins with."""


R = TypeVar("R")


def begin(folder: Path, run: Any) -> None:
    """Make the folder of a new run, of a captioner or of a language model.

    Raises:
        InputError: if there is a run in it already, or it cannot be written.
    """
    if (folder / "run.json").exists():
        raise InputError(
            f"{folder}: there is a run in this folder; go on with it by --resume {folder}, "
            "or choose another place with --out"
        )
    write_json(folder / "run.json", asdict(run))


def recall(folder: Path, kind: type[R]) -> R:
    """The settings of a run that is to be resumed.

    Args:
        folder: Of the run.
        kind: `Run`, or `captioner.language_runs.LanguageRun`.

    Raises:
        InputError: if the folder holds no run, or one of another version.
    """
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder}: no run to resume here (run.json is missing)")
    return parse(kind, read_json(folder / "run.json", "the settings of a run"), folder / "run.json")


def train_captioner(folder: Path, run: Run) -> RunState:
    """Train as `run` says, or go on where an interruption left it; the best model is FOLDER/best.

    Raises:
        InputError: if the data set, a photo, the weights or the folder cannot be used.
    """
    config = run.config
    language = None
    if run.init_decoder and not (folder / CHECKPOINT).exists():
        language = LanguageModel.from_pretrained(run.init_decoder)
        check_start(config, language)
    dataset = read_dataset(Path(run.data), seed=run.split_seed, skip_bad=run.skip_bad)
    for name in ("train", "val"):
        dataset.split(name)
    fingerprint = dataset.fingerprint()
    same_data(folder, dataset.root, fingerprint)
    write_split(dataset, folder / "split.json")

    preprocessing = Preprocessing(fit=config.fit)
    weights = Path(run.backbone_weights) if run.backbone_weights else None
    backbone, encoder_config = load_backbone(
        EncoderConfig(backbone=config.backbone, maps=config.maps, preprocessing=preprocessing),
        weights,
    )
    device = torch.device(run.device)
    encoder = Encoder(encoder_config, backbone).to(device)
    places = DECODERS[config.decoder].places
    cache = dataset_cache(dataset, encoder, places)
    train, train_maps = with_maps(cache, dataset.split("train"), run.skip_bad, "Train features")
    chosen = dataset.split("val")[: config.val_photos]
    val, val_maps = with_maps(cache, chosen, run.skip_bad, "Val features")

    pooled = train_maps.mean(axis=1, dtype=np.float32) if places else train_maps
    kept = encoder.fit(torch.from_numpy(pooled).float().to(device))
    captions = [photo.captions for photo in train]
    vocabulary = Vocabulary.of(
        (caption for of_photo in captions for caption in of_photo),
        config.min_count,
        config.max_words,
    )
    model_config = ModelConfig(encoder_config, _decoder_config(config, encoder_config))
    torch.manual_seed(run.seed)
    captioner = Captioner(model_config, vocabulary)
    captioner.encoder = encoder
    captioner.to(device)
    data = CaptionData(captions, project(encoder, train_maps), vocabulary, together=places)
    logger.info(
        "%d photos and %d captions to learn from, %d words, %d weights to train; "
        "the PCA keeps %.1f %% of the variance",
        len(train),
        len(data),
        len(vocabulary),
        sum(weight.numel() for weight in captioner.decoder.parameters()),
        100 * kept,
    )
    if language:
        taken = start_decoder(captioner.decoder, vocabulary, language)
        logger.info("the decoder begins with %d words of %s", taken, run.init_decoder)
    write_json(folder / "data.json", {"fingerprint": fingerprint})
    about = provenance(run.seed) | {
        "data": dataset.root.resolve().name,
        "data_fingerprint": fingerprint,
        "photos": len(train),
        "captions": len(data),
        "words": len(vocabulary),
        "settings": asdict(config),
    }

    def keep_best(captioner: Captioner, record: dict[str, Any]) -> None:
        metrics = {"val": {"cider_d": record["val_cider_d"], "photos": len(val)}}
        notes = {"metrics": metrics, "training": about | record}
        save_model(
            folder / "best",
            captioner.config,
            vocabulary,
            captioner.saved_tensors(),
            notes,
            write_card(captioner.config, notes),
        )

    goal = Validation(
        project(encoder, val_maps),
        [photo.captions for photo in val],
        [photo.file.name for photo in val],
        config.val_beam_size,
    )
    logbook = Logbook(folder, _told, CAPTIONER)
    try:
        return fit(captioner, data, goal, config, run.seed, folder, keep_best, logbook)
    except FloatingPointError as error:
        raise InputError(f"{folder}: {error}") from None
    finally:
        logbook.close()


def _told(record: dict[str, Any]) -> str:
    return (
        f"loss {record['train_loss']:.2f} nats per caption, "
        f"CIDEr-D {record['val_cider_d']:.3f} on validation photos, "
        f"{record['val_different']} different captions"
    )


def _decoder_config(config: TrainConfig, encoder: EncoderConfig) -> DecoderConfig:
    return DecoderConfig(
        kind=config.decoder,
        cell=config.cell,
        layers=config.layers,
        embedding=config.embedding,
        hidden=config.hidden,
        dropout=config.dropout,
        features=encoder.features,
        attention=config.attention,
        attention_penalty=config.attention_penalty,
    )


def same_data(folder: Path, source: Path | str, fingerprint: str) -> None:
    """Refuse to go on with a run on other data than it began with.

    Raises:
        InputError: if they changed since.
    """
    file = folder / "data.json"
    if not file.exists():
        return
    begun = read_json(file, "the fingerprint of a run's data")
    if not isinstance(begun, dict) or begun.get("fingerprint") != fingerprint:
        raise InputError(
            f"{source}: no longer the data that {folder} began with; bring that back, "
            "or begin a new run with another --out"
        )
