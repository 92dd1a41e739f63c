"""What a run learns from: a captioner to train, its photos as the CNN sees them, their captions."""

import logging
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from captioner.backbones import load_backbone
from captioner.config import DecoderConfig, EncoderConfig, ModelConfig, Preprocessing, TrainConfig
from captioner.data import Shows, Variants
from captioner.datasets import Photo, PhotoSet
from captioner.decoders import DECODERS
from captioner.encoder import Encoder
from captioner.errors import InputError
from captioner.features import dataset_cache, other_views, project, with_maps
from captioner.finetuning import Photos
from captioner.language import LanguageModel, check_start, start_decoder
from captioner.metrics.health import letters
from captioner.model import Captioner
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
    """Draws the splits of a data set that names none, and the photos where not all are used."""
    skip_bad: bool
    """Leave bad entries and photos out rather than refuse the data set."""
    backbone_weights: str | None
    """A local file with the weights of the CNN, or the folder of a captioner whose CNN it is."""
    device: str
    """Where to train."""
    config: TrainConfig
    """How to train."""
    init_decoder: str | None = None
    """A language model whose words and cell the decoder begins with."""
    begin_with: str | None = None
    """A captioner that is trained on."""
    more_data: tuple[str, ...] = ()
    """Paths of data sets whose training photos are learned from, too."""


@dataclass(frozen=True)
class Material:
    """All that training needs."""

    captioner: Captioner
    """On its device."""
    captions: list[tuple[str, ...]]
    """Human captions of each photo to learn from."""
    features: np.ndarray | Shows
    """Of these photos, (P, D) or (P, L, D); or what shows them otherwise in each epoch."""
    goal: Validation
    """What the captioner is judged by."""
    val_files: list[Path]
    """The photos of that."""


def gather(run: Run, dataset: PhotoSet, resumed: bool) -> Material:
    """Look at the photos and make the captioner, or take the one that the run begins with.

    Args:
        run: What the run is.
        dataset: Has a train and a val split.
        resumed: The weights will come from a checkpoint.

    Raises:
        InputError: if a photo, the weights, a model or the settings cannot be used.
    """
    config, device = run.config, torch.device(run.device)
    drawn = draw_photos(dataset, config.train_photos, run.split_seed)
    language = None
    if run.init_decoder and not resumed:
        language = LanguageModel.from_pretrained(run.init_decoder)
        check_start(config, language)
    captioner = None
    if run.begin_with:
        captioner = Captioner.from_pretrained(run.begin_with, device)
        captioner.consensus = captioner.confidence = None  # of what it was, not of what it becomes
        encoder, places = captioner.encoder, captioner.places
        torch.manual_seed(run.seed)
    else:
        encoder = load_encoder(run).to(device)
        places = DECODERS[config.decoder].places
    cache = dataset_cache(dataset, encoder, places)
    train, maps = with_maps(cache, drawn, run.skip_bad, "Train features")
    chosen = dataset.split("val")[: config.val_photos]
    val, val_maps = with_maps(cache, chosen, run.skip_bad, "Val features")
    captions = [photo.captions for photo in train]
    if captioner is None:
        pooled = maps.mean(axis=1, dtype=np.float32) if places else maps
        kept = encoder.fit(torch.from_numpy(pooled).float().to(device))
        logger.info("the PCA keeps %.1f %% of the variance", 100 * kept)
        captioner = make_captioner(run, encoder, captions).to(device)
    else:
        captioner.set_dropout(config.dropout)
    captioner.label_smoothing = config.label_smoothing
    if language:
        taken = start_decoder(captioner.decoder, captioner.vocabulary, language)
        logger.info("the decoder begins with %d words of %s", taken, run.init_decoder)
    logger.info(
        "%d photos and %d captions to learn from, %d words, %d weights to train",
        len(train),
        sum(map(len, captions)),
        len(captioner.vocabulary),
        sum(weight.numel() for weight in captioner.decoder.parameters()),
    )
    goal = Validation(
        project(encoder, val_maps),
        [photo.captions for photo in val],
        [photo.file.name for photo in val],
        config.val_beam_size,
        {letters(caption) for of_photo in captions for caption in of_photo},
    )
    features: np.ndarray | Shows
    if config.cnn_learning_rate:
        features = Photos([photo.file for photo in train], captions, captioner.preprocessing)
    else:
        whole = project(encoder, maps)
        features = whole if config.views == 1 else _all_views(run, dataset, encoder, train, whole)
    return Material(captioner, captions, features, goal, [photo.file for photo in val])


def _all_views(
    run: Run, dataset: PhotoSet, encoder: Encoder, train: list[Photo], whole: np.ndarray
) -> Variants:
    """Features of the views of the training photos, the whole photos first."""
    others = other_views(dataset, encoder, train, run.config.views, whole.ndim == 3, run.skip_bad)
    return Variants([whole, *(project(encoder, maps) for maps in others)])


def draw_photos(dataset: PhotoSet, number: int, seed: int) -> tuple[Photo, ...]:
    """So many of the training photos, in their own order; 0 for all.

    One seed puts all photos into one random order, of which each number takes the first ones: the
    100 photos are among the 300, so that a curve of scores against data rises by data alone.

    Raises:
        InputError: if there are not so many.
    """
    photos = dataset.split("train")
    if number > len(photos):
        raise InputError(
            f"{dataset.root} has {len(photos)} training photos, not {number}; "
            "choose fewer with --train-photos, or leave it out for all"
        )
    order = [*range(len(photos))]
    Random(seed).shuffle(order)
    return tuple(photos[place] for place in sorted(order[: number or None]))


def load_encoder(run: Run) -> Encoder:
    """The CNN that a run asks for; its PCA is not fitted yet.

    Raises:
        InputError: if its weights cannot be had.
    """
    config, weights = run.config, run.backbone_weights
    if weights and Path(weights).is_dir():
        return _encoder_of(weights, config)
    backbone, encoder_config = load_backbone(
        EncoderConfig(
            backbone=config.backbone,
            maps=config.maps,
            preprocessing=Preprocessing(fit=config.fit),
        ),
        Path(weights) if weights else None,
        config.size,
    )
    return Encoder(encoder_config, backbone)


def _encoder_of(model: str, config: TrainConfig) -> Encoder:
    """The CNN of a captioner, that was fine-tuned most likely."""
    encoder = Captioner.from_pretrained(model).encoder
    known = encoder.config
    preprocessing = known.preprocessing
    asked = {
        "backbone": (config.backbone, known.backbone),
        "maps": (config.maps, known.maps),
        "fit": (config.fit, preprocessing.fit),
        "size": (config.size or preprocessing.size, preprocessing.size),
    }
    wrong = [f"--{name} {its}" for name, (wanted, its) in asked.items() if wanted != its]
    if wrong:
        raise InputError(f"--backbone-weights {model}: its CNN wants {', '.join(wrong)}")
    made = Encoder(known, encoder.backbone)
    made.tuned = encoder.tuned
    return made


def make_captioner(run: Run, encoder: Encoder, captions: list[tuple[str, ...]]) -> Captioner:
    """A captioner that has learned nothing."""
    config = run.config
    vocabulary = Vocabulary.of(
        (caption for of_photo in captions for caption in of_photo),
        config.min_count,
        config.max_words,
    )
    model_config = ModelConfig(encoder.config, _decoder_config(config, encoder.config))
    torch.manual_seed(run.seed)
    captioner = Captioner(model_config, vocabulary)
    captioner.encoder = encoder
    return captioner


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
        tie_weights=config.tie_weights,
    )


def as_it_is(captioner: Captioner) -> dict[str, Any]:
    """The settings of training that a captioner has settled, by their names in `TrainConfig`."""
    encoder, decoder = captioner.config.encoder, captioner.config.decoder
    names = ("cell", "layers", "embedding", "hidden", "attention", "tie_weights")
    return {name: getattr(decoder, name) for name in names} | {
        "decoder": decoder.kind,
        "backbone": encoder.backbone,
        "maps": encoder.maps,
        "fit": encoder.preprocessing.fit,
        "size": encoder.preprocessing.size,
        "max_words": captioner.vocabulary.max_words,
    }


def check_settings(config: TrainConfig, begin_with: Any, init_decoder: Any) -> None:
    """Refuse settings that do not go together, before the CNN looks at thousands of photos.

    Raises:
        InputError: naming the options.
    """
    if config.self_critical and not begin_with:
        raise InputError(
            "self-critical training begins with a captioner that has learned from human captions; "
            "give its folder with --begin-with"
        )
    if begin_with and init_decoder:
        raise InputError("leave out --begin-with or --init-decoder")
    if init_decoder and config.tie_weights:
        raise InputError(
            "a language model scores words by other vectors than it reads them with; leave out "
            "--tie-weights or --init-decoder"
        )
    unused = ("label_smoothing", "word_dropout", "feature_dropout", "scheduled_sampling")
    given = [f"--{name.replace('_', '-')}" for name in unused if getattr(config, name)]
    if config.self_critical and given:
        raise InputError(f"{', '.join(given)} cannot be had in self-critical training")
    if config.cnn_learning_rate:
        _check_fine_tuning(config, begin_with)
    if not begin_with:
        try:
            DECODERS[config.decoder].check(config.cell, config.layers)
        except ValueError as error:
            raise InputError(str(error)) from None


def _check_fine_tuning(config: TrainConfig, begin_with: Any) -> None:
    if not begin_with:
        raise InputError(
            "the CNN is trained on with a captioner that has settled; give its folder with "
            "--begin-with, or leave out --cnn-learning-rate"
        )
    given = {
        "--self-critical": config.self_critical,
        "--views": config.views > 1,
        "--feature-dropout": config.feature_dropout,
        "--scheduled-sampling": config.scheduled_sampling,
    }
    wrong = [name for name, is_given in given.items() if is_given]
    if wrong:
        raise InputError(f"{', '.join(wrong)} cannot be had together with --cnn-learning-rate")
