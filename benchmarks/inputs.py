"""Photos, captions and features to work on: made up, or those of a data set."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from captioner.datasets import PhotoSet, read_dataset
from captioner.errors import InputError
from captioner.vocabulary import SPECIAL, Vocabulary

LENGTHS = {4: 1, 5: 1, 6: 3, 7: 7, 8: 8, 9: 10, 10: 11, 11: 11, 12: 10, 13: 9, 14: 8, 15: 6, 16: 4,
           17: 11}  # fmt: skip
"""Of 100 captions, how many have so many words, END counted: those of Flickr8k, cut at 16 words."""
CAPTIONS = 5
"""Captions of a photo."""
MAX_WORDS = 16
MIN_COUNT = 5
"""How often a data set says a word that is learned."""
PHOTO = (500, 375)
"""Width and height in pixels."""
DIFFERENT = 20
"""Made-up photos; where more are needed they come again."""
TOPICS = 100
CHOICE = 6
"""Words that may be said at one place of a caption of one topic."""

Captions = list[tuple[str, ...]]
"""Those of each photo."""


@dataclass(frozen=True)
class Setting:
    """Under what conditions a benchmark runs.

    Args:
        folder: An empty one, for whatever is written.
        quick: Little work, seconds each.
        seed: Of everything that is made up.
        data: A data set whose photos and captions are taken, where there is one.
    """

    folder: Path
    quick: bool = True
    seed: int = 0
    data: Path | None = None

    def size(self, quick: int, full: int) -> int:
        """The one that fits."""
        return quick if self.quick else full


def make_vocabulary(words: int) -> Vocabulary:
    """Made-up words: `<pad>`, ..., `w4`, `w5`, ...; so many in all, the special ones counted."""
    return Vocabulary(
        (*SPECIAL, *(f"w{number}" for number in range(len(SPECIAL), words))), MAX_WORDS
    )


def make_captions(
    photos: int, vocabulary: Vocabulary, seed: int = 0, topics: int = TOPICS
) -> tuple[Captions, np.ndarray]:
    """Five captions for each photo, as long as real ones, and the topic of each photo.

    Each topic has a few words of its own for each place of a caption, the first said most often, so
    that a network learns in seconds to say captions of a natural length.
    """
    rng = np.random.default_rng(seed)
    lengths = np.repeat(list(LENGTHS), list(LENGTHS.values())) - 1  # without END
    sayable = vocabulary.words[len(SPECIAL) :]
    book = rng.integers(len(sayable), size=(topics, MAX_WORDS, CHOICE))
    chances = 1 / np.arange(1, CHOICE + 1)
    topic = rng.integers(topics, size=photos)
    long = rng.choice(lengths, size=(photos, CAPTIONS))
    chosen = rng.choice(CHOICE, p=chances / chances.sum(), size=(photos, CAPTIONS, MAX_WORDS))
    captions = [
        tuple(
            " ".join(
                sayable[book[topic[photo], place, chosen[photo, number, place]]]
                for place in range(long[photo, number])
            )
            for number in range(CAPTIONS)
        )
        for photo in range(photos)
    ]
    return captions, topic


def make_features(topic: np.ndarray, features: int, seed: int = 0) -> np.ndarray:
    """Features (P, D), fp16 as in the cache: those of a topic are alike."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(int(topic.max()) + 1, features))
    return (means[topic] + 0.3 * rng.normal(size=(len(topic), features))).astype(np.float16)


def captions_for(setting: Setting, photos: int, words: int) -> tuple[Captions, Vocabulary]:
    """Captions of so many photos, of the data set or made up, and the vocabulary that they need."""
    if setting.data is None:
        vocabulary = make_vocabulary(words)
        return make_captions(photos, vocabulary, setting.seed)[0], vocabulary
    told = [photo.captions for photo in _dataset(setting.data).split("train")]
    enough = [of_photo[:CAPTIONS] for of_photo in told if len(of_photo) >= CAPTIONS]
    if len(enough) < photos:
        raise InputError(
            f"{setting.data}: {len(enough)} training photos have {CAPTIONS} captions, but "
            f"{photos} are needed; leave --data out to measure with made-up ones"
        )
    said = (caption for of_photo in told for caption in of_photo)
    return enough[:photos], Vocabulary.of(said, MIN_COUNT, MAX_WORDS)


def photos_for(setting: Setting, photos: int) -> list[Path]:
    """Files of photos: those of the data set, so many at most, or made-up ones."""
    if setting.data is not None:
        splits = _dataset(setting.data).splits.values()
        return [photo.file for of_split in splits for photo in of_split][:photos]
    folder = setting.folder / "photos"
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number:04d}.jpg" for number in range(photos)]
    for number, file in enumerate(files[:DIFFERENT]):
        make_photo(setting.seed + number).save(file, quality=90)
    for number, file in enumerate(files[DIFFERENT:]):
        shutil.copyfile(files[number % DIFFERENT], file)
    return files


def make_photo(seed: int, size: tuple[int, int] = PHOTO) -> Image.Image:
    """Coloured clouds and grain, with as much detail on each scale as photos have."""
    rng = np.random.default_rng(seed)
    width, height = size
    picture = np.full((height, width, 3), 128.0)
    for across in (4, 8, 16, 32, 64, 128, width):
        small = rng.normal(size=(max(2, across * height // width), across, 3)) * 60 / across**0.6
        for channel in range(3):
            cloud = Image.fromarray(small[:, :, channel].astype(np.float32))
            picture[:, :, channel] += np.asarray(cloud.resize(size, Image.Resampling.BICUBIC))
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def _dataset(folder: Path) -> PhotoSet:
    return read_dataset(folder)
