"""CIDEr-D of strings, and of sampled word indices as the reward of self-critical training.

Usual: dictionaries with tuples of strings as keys, pycocoevalcap's scorer for `cider`, and
`benchmarks.plain.ngrams` for `reward`. Ours: the same n-grams as whole numbers, all at once. The
captions are made up: words as frequent as Zipf's law has it, lengths as in Flickr8k.
"""

from collections.abc import Callable

import numpy as np

from captioner.metrics import CiderD
from captioner.metrics.reward import CiderReward
from captioner.vocabulary import END, PAD, SPECIAL

Calls = tuple[Callable[[], object], Callable[[], object], int]
"""The usual way, ours, and how many captions one call of either scores."""

NUM_WORDS = 2500
REFERENCES = 5
SAMPLES = 5
PHOTOS = 64
"""In a step of self-critical training."""
MAX_WORDS = 16
"""Of a sample, END not counted: the captioner says no more."""


def make_photos(num_photos: int, num_captions: int, seed: int = 0) -> list[list[list[int]]]:
    """Captions of each photo as word indices: 6 to 20 words, 10.8 on average.

    They are put together from phrases that the photo has of its own, phrases that all photos have
    in common, and single words, so that two captions of a photo share about as many n-grams as in
    Flickr8k: 4.3 words, 1.3 pairs, 0.5 triples, 0.2 quadruples.
    """
    generator = np.random.default_rng(seed)
    chances = 1 / np.arange(1, NUM_WORDS + 1) ** 1.1
    frequent = len(SPECIAL) + generator.choice(NUM_WORDS, size=2**20, p=chances / chances.sum())
    common = [say(generator, frequent, 4) for _ in range(400)]
    photos = []
    for _ in range(num_photos):
        own = [say(generator, frequent, 4) for _ in range(5)]
        captions = []
        for length in np.rint(generator.normal(10.6, 3.4, num_captions)).clip(6, 20).astype(int):
            words: list[int] = []
            while len(words) < length:
                kind = generator.random()
                if kind < 0.4:
                    words += own[generator.integers(len(own))]
                elif kind < 0.6:
                    words += common[int(len(common) * generator.random() ** 2)]
                else:
                    words += say(generator, frequent, 1)
            captions.append(words[:length])
        photos.append(captions)
    return photos


def say(generator: np.random.Generator, frequent: np.ndarray, longest: int) -> list[int]:
    """One word up to `longest`."""
    begin = generator.integers(len(frequent) - longest)
    return frequent[begin : begin + generator.integers(1, longest + 1)].tolist()


def cider(quick: bool) -> Calls:
    """CIDEr-D from strings, the scorers' construction included."""
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    written = [
        [" ".join(f"word{index}" for index in caption) for caption in photo]
        for photo in make_photos(1000 if quick else 5000, 1 + REFERENCES)
    ]
    captions = [photo[0] for photo in written]
    references = [photo[1:] for photo in written]

    def usual() -> np.ndarray:
        scorer = CiderScorer()
        for caption, of_photo in zip(captions, references, strict=True):
            scorer += (caption, of_photo)
        return scorer.compute_score()[1]

    def ours() -> np.ndarray:
        return CiderD(references).score(captions)

    check_equal(usual(), ours())
    return usual, ours, len(captions)


def reward(quick: bool) -> Calls:
    """One step of self-critical training: five samples for each of 64 photos."""
    from benchmarks.plain.ngrams import PlainReward

    photos = make_photos(1000 if quick else 6000, REFERENCES + SAMPLES)
    references = [photo[:REFERENCES] for photo in photos]
    chosen = np.random.default_rng(1).choice(len(photos), PHOTOS, replace=False)
    samples = [text[:MAX_WORDS] for photo in chosen for text in photos[photo][REFERENCES:]]
    words = np.full((len(samples), MAX_WORDS + 1), PAD)
    for row, sample in zip(words, samples, strict=True):
        row[: len(sample) + 1] = [*sample, END]
    indices = np.repeat(chosen, SAMPLES)
    plain, fast = PlainReward(references, END), CiderReward(references, END)

    def usual() -> np.ndarray:
        return plain.score(words, indices)

    def ours() -> np.ndarray:
        return fast.score(words, indices)

    check_equal(usual(), ours())
    return usual, ours, len(samples)


def check_equal(usual: np.ndarray, ours: np.ndarray) -> None:
    """Both ways give one result, or their speed is nothing to compare."""
    np.testing.assert_allclose(ours, usual, rtol=0, atol=1e-9)
