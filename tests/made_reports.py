"""Models, captions and photos that nobody made, as large as one likes, for reports about them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from captioner.datasets import Photo
from captioner.evaluation import Evaluation
from captioner.explaining import Word
from captioner.metrics import bootstrap, score_each, summarise
from captioner.reporting import Inside
from captioner.streaming import Caption

WORDS = tuple(
    word
    for thing in ("man", "woman", "dog", "cat", "child", "ball", "horse", "bicycle", "wall")
    for word in ("a", thing, f"two {thing}s", f"runs near the {thing}", "on the red grass")
)
"""Phrases."""
ODD = ('<img src=x onerror="document.title=1">', 'a man\'s "dog" & cat\u2028', "كلب يجري 🐕", "")
"""Captions that a page must show as they are."""


def make_photos(folder: Path, count: int, people: int = 5, seed: int = 0) -> list[Photo]:
    """Small plain photos and what people would have said of them; the first ones are `ODD`."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    photos = []
    for number in range(count):
        name = (
            ["a<b>&'c'.jpg", "other/name.jpg", "name.jpg"][number]
            if number < 3
            else f"{number}.jpg"
        )
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            colour = tuple(generator.integers(0, 255, 3).tolist())
            Image.new("RGB", (48, 32), colour).save(file)
        said = tuple(sentence(generator) for _ in range(people))
        photos.append(Photo(file, ODD[number : number + 1] + said if number < 3 else said, name))
    return photos


def sentence(generator: np.random.Generator) -> str:
    return " ".join(generator.choice(WORDS, generator.integers(3, 7)))


def make_run(
    name: str,
    photos: Sequence[Photo],
    *,
    side: int | None = 9,
    beams: int = 3,
    confident: bool = True,
    fit: str = "squeeze",
    seed: int = 0,
) -> Inside:
    """A model that says anything: `side` is that of its grid of places, None where it has none."""
    generator = np.random.default_rng(seed)
    found, words = [], []
    for number, photo in enumerate(photos):
        # Some captions are nearly right, so that scores differ.
        best = photo.captions[-1] if generator.random() < 0.3 else sentence(generator)
        best = ODD[number] if number < len(ODD) else best
        texts = [best, *(sentence(generator) for _ in range(beams - 1))]
        sure = float(generator.random()) if confident else None
        found.append([Caption(text, -float(i + 1), sure) for i, text in enumerate(texts)])
        words.append(make_words(best.split(), side, generator))
    said = [" ".join(of_photo[0].caption.split()).lower() for of_photo in found]
    each = score_each(said, [list(photo.captions) for photo in photos])
    intervals = bootstrap(each, num_resamples=20)
    record = {
        "metrics": summarise(each),
        "intervals": {metric: list(ends) for metric, ends in intervals.items()},
        "different_captions": len(set(said)),
        "mean_length": 9.5,
        "shares": dict.fromkeys(("break_off", "say_something_twice", "training_captions"), 0.125),
        "split": "test",
        "photos": len(photos),
        "beam_size": beams,
        "search": {"max_words": 12},
        "consensus": False,
        "data": "made <up>",
        "date": "2026-01-01",
        "command": "captioner report",
        "training": {"cell": "lstm", "epochs": 2},
    }
    epochs = [{"epoch": e, "train_loss": 9.0 - e, "val_cider_d": 0.1 * e} for e in (1, 2, 3)]
    told = Evaluation(list(photos), np.zeros((len(photos), 1)), found, each, record)
    return Inside(name, told, words, epochs, fit)


def make_words(said: Sequence[str], side: int | None, generator: np.random.Generator) -> list[Word]:
    """Words with chances, the likeliest first; each looks at one place above all, in turn."""
    words = []
    for place, word in enumerate([*said, ""]):
        chances = np.sort(generator.dirichlet(np.ones(5)))[::-1].tolist()
        others = generator.choice(("dog", "cat", "the", "", "runs"), 4, replace=False).tolist()
        attention = None
        if side:
            attention = generator.dirichlet(np.full(side * side, 20.0)) / 2
            attention[place % (side * side)] += 0.5
            attention = attention.reshape(side, side).astype(np.float32)
        likeliest = tuple(zip([word, *others], chances, strict=True))
        words.append(Word(word, chances[0], likeliest, attention))
    return words
