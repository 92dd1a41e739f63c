"""Captions against what people wrote: metrics, intervals, and what metrics do not see."""

from collections.abc import Collection, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from captioner.errors import InputError
from captioner.metrics import bootstrap, count_documents, score_each, summarise
from captioner.metrics.health import health, letters
from captioner.metrics.java import find_java
from captioner.metrics.meteor import Meteor, Words, count_pairs, find_package
from captioner.metrics.meteor.official import count_officially
from captioner.metrics.ptb import tokenise
from captioner.metrics.spice import SECONDS, spice_each

TOKENISATION = "ptb"
"""How records name the way in which captions are split into words."""


class Scored(NamedTuple):
    """What `score` found."""

    record: dict[str, Any]
    """`metrics`, `intervals` and the rest, as JSON takes it."""
    each: dict[str, np.ndarray]
    """Metrics of each photo, as of `captioner.metrics.score_each`."""
    words: list[str]
    """The captions as words with a space between them."""
    references: list[list[str]]
    """What people wrote, likewise."""


def split_references(references: Sequence[Sequence[str]]) -> list[list[str]]:
    """What people wrote about each photo, as words with a space between them.

    >>> split_references([["A dog.", "The dog's bone!"], ["A cat"]])
    [['a dog', "the dog 's bone"], ['a cat']]
    """
    words = iter(tokenise(list(chain.from_iterable(references))))
    return [[next(words) for _ in photo] for photo in references]


def score(
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
    known: Collection[str] | None = None,
    seed: int = 0,
) -> Scored:
    """Score captions as the official COCO evaluation does, on raw texts.

    Args:
        captions: One for each photo, as a person would read it.
        references: For each photo, what people wrote about it.
        known: The `letters` of training captions, where they are at hand.
        seed: Of the bootstrap.

    Example:

        >>> found = score(["A dog runs.", "a cat"], [["a dog runs"], ["two cats", "A cat!"]])
        >>> round(found.record["metrics"]["bleu_1"], 4), found.record["vocabulary"]
        (1.0, 4)
        >>> found.record["different_captions"], found.record["mean_length"]
        (2, 2.5)
    """
    words, truth = tokenise(captions), split_references(references)
    each = score_each(words, truth)
    state = health(words, known or ())
    shares = {"break_off": state.dangling, "say_something_twice": state.stammering}
    if known is not None:
        shares["training_captions"] = state.copied
    intervals = bootstrap(each, seed=seed)
    record = {
        "metrics": summarise(each),
        "intervals": {name: list(ends) for name, ends in intervals.items()},
        "tokenisation": TOKENISATION,
        "different_captions": len(set(captions)),
        "vocabulary": len({word for caption in words for word in caption.split()}),
        "mean_length": state.words,
        "shares": shares,
        "photos": len(captions),
        "references": sum(map(len, truth)),
    }
    return Scored(record, each, words, truth)


def choose_meteor(choice: str, seconds: float) -> tuple[Meteor, str]:
    """METEOR, and which it is.

    Args:
        choice: official for the program of its authors; python to do without Java; auto for the
            official one where that can be had.
        seconds: How long the official one may take.

    Raises:
        InputError: if the official one is asked for and not to be had, or words have no stems.
    """
    java, package = find_java(), find_package()
    if choice == "official" and not (java and package):
        raise InputError(
            f"the official METEOR needs {'pycocoevalcap' if java else 'Java'}, which is not here; "
            "--meteor python does without Java"
        )
    if java and package and choice != "python":
        official = partial(count_officially, java=java, package=package, seconds=seconds)
        return Meteor(official), "METEOR 1.5, official"
    name = "METEOR, exact + stem" + " + synonym + paraphrase" * bool(package)
    return Meteor(partial(count_pairs, words=Words(package))), name


def add_metrics(
    scored: Scored,
    meteor: Meteor | None = None,
    spice: bool = False,
    seconds: float = SECONDS,
    seed: int = 0,
) -> Scored:
    """The same with METEOR and SPICE, which take longer and may take Java.

    Args:
        scored: Of `score`.
        meteor: Of `choose_meteor`, if it is asked for.
        spice: Whether SPICE is asked for.
        seconds: How long SPICE may take.
        seed: Of the bootstrap.

    Raises:
        InputError: if what it takes is missing, fails or takes too long.
    """
    each, texts = dict(scored.each), (scored.words, scored.references)
    if meteor:
        each["meteor_counts"] = meteor.count(*texts)
    if spice:
        each["spice"] = spice_each(*texts, find_java(), find_package(), seconds)
    intervals = bootstrap(each, seed=seed)
    found = {
        "metrics": summarise(each),
        "intervals": {name: list(ends) for name, ends in intervals.items()},
    }
    return scored._replace(record=scored.record | found, each=each)


def known_captions(captions: Sequence[str]) -> set[str]:
    """Captions by which copies of them are known again."""
    return {letters(caption) for caption in captions}


def leave_one_out(
    references: Sequence[Sequence[str]], words: Sequence[str], meteor: Meteor | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """How people score, and captions on the same terms.

    Each human caption is held in turn against the others of its photo, and so are the captions:
    one reference less makes every metric lower, so that a captioner's usual scores are not to be
    compared with people's. How rare a word is comes from all of the references in all cases.

    Args:
        references: For each photo, what people wrote about it, as words; two captions at least.
        words: The captions.
        meteor: Of `choose_meteor`, to have METEOR too; SPICE would take too long.

    Returns:
        The metrics of people and those of the captions, each the mean over which human caption is
        left out.

    Raises:
        ValueError: if a photo has one reference alone.

    Example: people agree on three words of four; the captioner says what the second one said.

        >>> photos = [["a dog runs fast", "a dog runs home"], ["one cat", "one cat"]]
        >>> people, ours = leave_one_out(photos, ["a dog runs home", "one cat"])
        >>> round(people["bleu_1"], 4), round(ours["bleu_1"], 4)
        (0.8333, 0.9167)
    """
    turns = min(map(len, references))
    if turns < 2:
        raise ValueError("Some photo has one human caption, with nothing to hold it against.")
    rarities = count_documents(references)
    if meteor:
        photos = zip(words, references, strict=True)
        meteor.learn(
            (own, other) for word, photo in photos for own in (word, *photo) for other in photo
        )
    sums: list[dict[str, float]] = [{}, {}]
    for turn in range(turns):
        others = [[*photo[:turn], *photo[turn + 1 :]] for photo in references]
        for total, told in zip(sums, ([photo[turn] for photo in references], words), strict=True):
            each = score_each(told, others, rarities)
            if meteor:
                each["meteor_counts"] = meteor.count(told, others)
            for name, value in summarise(each).items():
                total[name] = total.get(name, 0.0) + value / turns
    return sums[0], sums[1]


def table(record: dict[str, Any]) -> str:
    """The scores as text, with their 95 % intervals."""
    lines = [f"{'metric':<10} {'score':>7}   95 % interval over {record['photos']} photos"]
    for name, value in record["metrics"].items():
        low, high = record["intervals"][name]
        lines.append(f"{name:<10} {value:7.4f}   {low:.4f} to {high:.4f}")
    return "\n".join(lines)
