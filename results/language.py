"""What language models reach, and whether they help a captioner: two records in this folder.

python results/language.py perplexity --help
python results/language.py help --help
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from nltk.lm import smoothing
from nltk.lm.models import InterpolatedLanguageModel
from nltk.util import everygrams

from captioner.commands import finish
from captioner.errors import InputError
from captioner.evaluation import trained_how
from captioner.files import write_json
from captioner.provenance import provenance

END, UNK = "<end>", "<unk>"
ORDERS = (2, 3, 4, 5)
DISCOUNTS = (0.1, 0.5, 0.75, 0.9)
WEIGHTS = tuple(round(0.1 * step, 1) for step in range(-5, 6))


class KneserNey(smoothing.KneserNey):
    """nltk's, but the continuations are counted once, not anew for each word that is scored."""

    def _continuation_counts(self, word: str, context: tuple[str, ...] = ()) -> tuple[int, int]:
        of_words = self._continuations(len(context) + 2).get(context, {})
        return of_words.get(word, 0), sum(of_words.values())

    def _continuations(self, order: int) -> dict[tuple[str, ...], Counter[str]]:
        known = self.__dict__.setdefault("known", {})
        if order not in known:
            found = known[order] = defaultdict(Counter)
            for prefix, counts in self.counts[order].items():
                found[prefix[1:]].update(word for word, count in counts.items() if count > 0)
        return known[order]


class KneserNeyModel(InterpolatedLanguageModel):
    """An n-gram model (Kneser & Ney 1995; interpolated, Chen & Goodman 1998)."""

    def __init__(self, order: int, discount: float) -> None:
        super().__init__(KneserNey, order, params={"discount": discount, "order": order})
        self.known: dict[tuple[float, str, tuple[str, ...]], float] = {}

    def unmasked_score(self, word: str, context: tuple[str, ...] = ()) -> float:
        """Probability of a word; each is worked out once, also on the way to longer contexts."""
        key = (self.estimator.discount, word, context)
        if key not in self.known:
            self.known[key] = super().unmasked_score(word, context)
        return self.known[key]


def beginning(order: int) -> list[str]:
    """What stands before a text: each place another token, or nltk's chances add up to over 1.

    >>> beginning(3)
    ['<start-2>', '<start-1>']
    """
    return [f"<start-{place}>" for place in range(order - 1, 0, -1)]


def ngram_model(texts: Iterable[Sequence[str]], order: int, discount: float) -> KneserNeyModel:
    """Train on texts of words."""
    padded = [[*beginning(order), *text, END] for text in texts]
    model = KneserNeyModel(order, discount)
    model.fit(
        (everygrams(text, max_len=order) for text in padded),
        {word for text in padded for word in text},
    )
    return model


def ngram_perplexity(model: KneserNeyModel, texts: Iterable[Sequence[str]]) -> float:
    """Per word, END counted, the beginning not."""
    nats, words = 0.0, 0
    for text in texts:
        said = beginning(model.order)
        for word in (*text, END):
            context = tuple(said[len(said) - model.order + 1 :])
            nats -= math.log(model.unmasked_score(word, context))
            said.append(word)
            words += 1
    return math.exp(nats / words)


def perplexity(data: str, models: tuple[Path, ...], output: Path, order: int | None = None) -> int:
    """Test perplexity of language models beside the best n-gram model, with the same vocabulary.

    Args:
        data: The text that they were trained on.
        models: Folders of the runs; the first one's vocabulary is that of the n-gram model.
        output: Where the record goes.
        order: Try n-grams of this order alone; by default of 2 to 5.
    """
    from tqdm import tqdm

    from captioner.language import LanguageModel
    from captioner.texts import read_texts

    texts = read_texts(data)
    loaded = {folder: LanguageModel.from_pretrained(folder) for folder in models}
    vocabulary = loaded[models[0]].vocabulary
    if any(model.vocabulary.words != vocabulary.words for model in loaded.values()):
        raise InputError(
            "the models have different vocabularies; their perplexities do not compare"
        )
    split = {
        name: [
            [word if word in vocabulary.index else UNK for word in vocabulary.split(line)]
            for line in getattr(texts, name)
        ]
        for name in ("train", "val", "test")
    }
    orders = [order] if order else ORDERS
    of_val: dict[tuple[int, float], float] = {}
    for n in tqdm(orders, desc="N-grams", unit="order", disable=None):
        ngrams = ngram_model(split["train"], n, DISCOUNTS[0])
        for discount in DISCOUNTS:
            ngrams.estimator.discount = discount
            of_val[n, discount] = ngram_perplexity(ngrams, split["val"])
    best = min(of_val, key=of_val.__getitem__)
    rows = [
        {
            "model": f"{best[0]}-grams, Kneser-Ney",
            "discount": best[1],
            "val_perplexity": of_val[best],
            "test_perplexity": ngram_perplexity(ngram_model(split["train"], *best), split["test"]),
        }
    ]
    for folder, model in loaded.items():
        row: dict[str, Any] = {"model": model.config.decoder.cell}
        for name in ("val", "test"):
            scores = model.score(getattr(texts, name))
            nats = -sum(score.log_prob for score in scores)
            row[f"{name}_perplexity"] = math.exp(nats / sum(score.words for score in scores))
        rows.append(row | {"training": trained_how(folder / "best")})
    record = {
        "data": texts.name,
        "data_fingerprint": texts.fingerprint(),
        "lines": {name: len(lines) for name, lines in split.items()},
        "words": len(vocabulary),
        "rows": rows,
        "ngrams_tried_on_val": {
            f"{n}, {discount}": value for (n, discount), value in of_val.items()
        },
        **provenance(seed=0),
    }
    write_json(output, record)
    print("\n".join(f"{row['test_perplexity']:8.2f}  {row['model']}" for row in rows))
    return 0


def help_captioner(
    data: Path,
    plain: tuple[Path, ...],
    started: tuple[Path, ...],
    lm: Path,
    output: Path,
    beam_size: int = 5,
) -> int:
    """Does a language model help a captioner? CIDEr-D on validation photos, over several seeds.

    The weight of the second opinion is chosen on every other photo, by the mean over the seeds, and
    its effect is told of the rest.

    Args:
        data: The photos.
        plain: Runs of captioners that began at random, one for each seed.
        started: Runs of the same seeds and settings that began with the language model.
        lm: The language model.
        output: Where the record goes.
        beam_size: Beams, all of which the language model sees.
    """
    from captioner.config import SearchConfig
    from captioner.datasets import read_dataset
    from captioner.features import dataset_cache, with_maps
    from captioner.language import LanguageModel
    from captioner.metrics import CiderD
    from captioner.model import Captioner
    from captioner.reranking import Reranker
    from captioner.vocabulary import tokenise

    dataset, opinion = read_dataset(data), LanguageModel.from_pretrained(lm)
    photos = dataset.split("val")
    scorer = CiderD([[" ".join(tokenise(c)) for c in photo.captions] for photo in photos])

    known: dict[str, float] = {}

    def scores_of(folder: Path, weights: Sequence[float]) -> np.ndarray:
        captioner = Captioner.from_pretrained(folder)
        _, maps = with_maps(dataset_cache(dataset, captioner.encoder), photos, False, "Features")
        config = SearchConfig(beam_size=beam_size, num_captions=beam_size)
        beams = captioner.search(captioner.features(maps), config)
        found = [
            scorer.score([" ".join(tokenise(of_photo[0].caption)) for of_photo in chosen])
            for chosen in (Reranker(opinion, weight, known)(beams) for weight in weights)
        ]
        return np.stack(found)  # (weights, photos)

    of_plain = np.stack(
        [scores_of(folder, WEIGHTS) for folder in plain]
    )  # (seeds, weights, photos)
    of_started = np.stack([scores_of(folder, (0.0,)) for folder in started])[:, 0]
    zero = WEIGHTS.index(0.0)
    chosen = int(of_plain[:, :, ::2].mean(axis=(0, 2)).argmax())
    record = {
        "data": dataset.root.resolve().name,
        "data_fingerprint": dataset.fingerprint(),
        "split": "val",
        "photos": len(photos),
        "beam_size": beam_size,
        "init_decoder": {
            "plain": of_plain[:, zero].mean(axis=1).tolist(),
            "started": of_started.mean(axis=1).tolist(),
            **_gain(of_started - of_plain[:, zero]),
        },
        "reranking": {
            "weight": WEIGHTS[chosen],
            "plain": of_plain[:, zero, 1::2].mean(axis=1).tolist(),
            "reranked": of_plain[:, chosen, 1::2].mean(axis=1).tolist(),
            **_gain((of_plain[:, chosen] - of_plain[:, zero])[:, 1::2]),
            "tried": {
                str(weight): of_plain[:, place, ::2].mean(axis=1).tolist()
                for place, weight in enumerate(WEIGHTS)
            },
        },
        "training": [trained_how(folder / "best") for folder in (*plain, *started, lm)],
        **provenance(seed=0),
    }
    write_json(output, record)
    for name in ("init_decoder", "reranking"):
        print(f"{name}: {record[name]['gain']:+.4f} {record[name]['gain_interval']}")
    return 0


def _gain(differences: np.ndarray) -> dict[str, Any]:
    """Mean gain and its 95 % interval: bootstrap over photos of the mean over seeds."""
    generator = np.random.default_rng(0)
    of_photos = differences.mean(axis=0)
    samples = generator.integers(len(of_photos), size=(2000, len(of_photos)))
    low, high = np.percentile(of_photos[samples].mean(axis=1), [2.5, 97.5])
    of_seeds = differences.mean(axis=1)
    return {
        "gain": float(of_photos.mean()),
        "gain_interval": [float(low), float(high)],
        "gain_of_each_seed": of_seeds.tolist(),
    }


if __name__ == "__main__":
    commands = {"perplexity": perplexity, "help": help_captioner}
    finish(lambda: tyro.extras.subcommand_cli_from_dict(commands))
