"""All checks in a row, from the quick ones on text to those that need the CNN."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from captioner.datasets import Photo, PhotoSet, read_dataset
from captioner.decoders import DECODERS
from captioner.diagnosis.cost import check_cost, time_of
from captioner.diagnosis.data import (
    check_captions,
    check_coverage,
    check_splits,
    split_captions,
)
from captioner.diagnosis.finding import Finding
from captioner.diagnosis.learning import NUM, check_by_heart, check_looks
from captioner.diagnosis.network import (
    check_export,
    check_features,
    check_frozen,
    check_preprocessing,
)
from captioner.diagnosis.photos import check_photos
from captioner.encoder import Encoder
from captioner.errors import InputError
from captioner.extraction import look_at, make_look
from captioner.material import Run, load_encoder, make_captioner
from captioner.model import Captioner
from captioner.vocabulary import tokenise

LOOKED_AT = 64
"""Photos of train, and of photos that were not learned from, that are put through the CNN."""
FEWEST = 8
"""Photos with fewer of which nothing can be said of a trained model."""


@dataclass(frozen=True)
class Seen:
    """Some photos of a data set, as the CNN takes them and as it sees them."""

    captions: list[tuple[str, ...]]
    """Of each."""
    images: np.ndarray
    """(P, 3, S, S)."""
    maps: np.ndarray
    """(P, C), or of places (P, L, C)."""


def examine(run: Run, model: str | None = None, photos: bool = True) -> Iterator[Finding]:
    """Look for what may go wrong with a data set, a training on it, and a trained model.

    Args:
        run: The training that is to come; a model has settled its own decoder and CNN.
        model: A trained captioner, by folder or name.
        photos: Look at every photo, whether it can be read and is in two splits.

    Yields:
        Findings, as they are made.

    Raises:
        InputError: if data set or model cannot be used at all.
    """
    config = run.config
    entries, dataset = _read(run)
    trained = Captioner.from_pretrained(model, run.device) if model else None
    yield entries
    yield from check_splits(dataset)
    words = split_captions(dataset)
    max_words = trained.vocabulary.max_words if trained else config.max_words
    yield from check_captions(dataset, words, max_words)
    vocabulary = trained.vocabulary if trained else None
    yield from check_coverage(dataset, words, vocabulary, config.min_count)
    if photos:
        yield from check_photos(dataset)

    encoder = trained.encoder if trained else load_encoder(run).to(run.device)
    everyone = [photo for of_split in dataset.splits.values() for photo in of_split]
    learned = dataset.splits.get("train", everyone)
    places = trained.places if trained else DECODERS[config.decoder].places
    known = _look(encoder, _some(learned, run.seed), places)
    captioner = trained
    if captioner is None:
        pooled = known.maps.mean(axis=1) if places else known.maps
        encoder.fit(torch.from_numpy(pooled).float().to(run.device))
        captions = [photo.captions for photo in learned]
        captioner = make_captioner(run, encoder, captions).to(run.device).eval()
    yield from check_preprocessing(captioner)
    yield from check_frozen(captioner, torch.from_numpy(known.images[:2]))
    if trained and model:
        yield from check_export(trained, model, known.images[:4])
        held_out = [p for split in ("val", "test") for p in dataset.splits.get(split, ())]
        others = _look(encoder, _some(held_out or learned, run.seed), places)
        yield from check_features(trained, others.maps)
        if len(others.captions) >= FEWEST:
            yield from check_looks(trained, others.maps, others.captions, run.seed)
    yield from _by_heart(captioner, known, run.seed)
    if not trained:
        look = make_look(encoder, 1, places)
        seconds = time_of(look, known.images[:FEWEST])
        counts = len(learned), sum(len(photo.captions) for photo in learned)
        yield from check_cost(
            captioner, known.maps, known.captions, config, *counts, seconds, len(everyone)
        )


def _read(run: Run) -> tuple[Finding, PhotoSet]:
    """The data set without its bad entries, and what is wrong with these."""
    try:
        dataset = read_dataset(run.data, seed=run.split_seed)
    except InputError as error:
        dataset = read_dataset(run.data, seed=run.split_seed, skip_bad=True)
        told, _, _ = str(error).rpartition("\n")
        remedy = "mend them, or leave them out with --skip-bad"
        return Finding("entries", "bad", told, remedy), dataset
    return Finding("entries", "well", f"{dataset.title}, in the layout {dataset.layout}"), dataset


def _some(photos: Sequence[Photo], seed: int) -> list[Photo]:
    """Some of them, drawn by lot."""
    drawn = np.random.default_rng(seed).permutation(len(photos))[:LOOKED_AT]
    return [photos[place] for place in sorted(drawn.tolist())]


def _look(encoder: Encoder, photos: Sequence[Photo], places: bool) -> Seen:
    """Those of some photos that can be read.

    Raises:
        InputError: if none can.
    """
    files = [photo.file for photo in photos]
    images, numbers = [], []
    for seen, arrays, _ in look_at(files, lambda images: images, encoder.config.preprocessing):
        numbers += seen
        images += [*arrays]
    if not images:
        raise InputError(f"{photos[0].file} and the other photos looked at cannot be read")
    arrays = np.stack(images)
    maps = make_look(encoder, len(arrays), places)(arrays)
    return Seen([photos[number].captions for number in numbers], arrays, maps)


def _by_heart(captioner: Captioner, seen: Seen, seed: int) -> list[Finding]:
    """Of the first photos whose first captions differ."""
    chosen: dict[str, int] = {}
    for row, of_photo in enumerate(seen.captions):
        if said := " ".join(tokenise(of_photo[0])):
            chosen.setdefault(said, row)
    captions, rows = [*chosen][:NUM], [*chosen.values()][:NUM]
    if len(captions) < 2:
        told = "there are no two photos with different captions"
        return [Finding("by heart", "bad", told, "add photos")]
    decoder = captioner.config.decoder
    return check_by_heart(captioner.encoder, seen.maps[rows], captions, decoder, seed)
