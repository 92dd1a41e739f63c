"""Questions about the captions of drawn scenes, whose facts are known."""

import random
from collections.abc import Sequence
from typing import Any

import torch

from captioner.reading.learning import Task, Texts
from captioner.reading.networks import pack
from captioner.scenes import describe_scenes, split_sizes
from captioner.scenes.judge import COLOURS, parse_caption
from captioner.scenes.places import PLACES
from captioner.vocabulary import Vocabulary

PAGE = 2
"""Captions on a page, each of another scene."""
SPLITS = ("train", "test")
SHADES = sorted({*COLOURS.values()})


class Scenes:
    """The captions of drawn scenes and what these show.

    Args:
        number: Of scenes, over all splits; val is not used.

    Raises:
        InputError: if they are too few for splits.
    """

    def __init__(self, number: int) -> None:
        sizes = split_sizes(number)
        described = {split: [*describe_scenes(split, sizes[split])] for split in SPLITS}
        self.captions = {split: [said for said, _ in part] for split, part in described.items()}
        self.facts = {split: [facts for _, facts in part] for split, part in described.items()}
        every = [caption for said in self.captions["train"] for caption in said]
        self.vocabulary = Vocabulary.of(every, min_count=1)

    def one_each(self, split: str) -> list[str]:
        """A caption of each scene."""
        rng = random.Random(split)
        return [rng.choice(said) for said in self.captions[split]]

    def encode(self, captions: Sequence[str]) -> Texts:
        """Each from START to END."""
        return [torch.tensor(self.vocabulary.encode(caption)) for caption in captions]


def list_facts(facts: dict[str, Any]) -> list[str]:
    """What a scene shows, fact by fact.

    >>> list_facts({"background": "sea", "relation": None,
    ...             "things": [{"kind": "boat", "colour": "red", "count": 2}]})
    ['background sea', 'relation None', 'thing 1 boat', 'thing 1 red', 'thing 1 times 2']
    """
    found = [f"{name} {facts[name]}" for name in ("background", "relation")]
    for place, thing in enumerate(facts["things"], start=1):
        found += [f"thing {place} {thing['kind']}", f"thing {place} {thing['colour']}"]
        found += [f"thing {place} times {thing['count']}"]
    return found


def ask_background(scenes: Scenes, shape: str) -> Task:
    """A caption: what is the scene's background? Not every caption tells."""
    names = sorted(PLACES)
    train, test = (
        (
            scenes.encode(scenes.one_each(split)),
            [torch.tensor([names.index(facts["background"])]) for facts in scenes.facts[split]],
        )
        for split in SPLITS
    )
    return Task(shape, ("background of a caption",), len(names), train, test)


def ask_first_and_last(scenes: Scenes, shape: str) -> Task:
    """Captions of `PAGE` scenes in a row: which thing's colour is named first, and which last?"""

    def write_pages(split: str) -> tuple[Texts, Texts]:
        rng = random.Random(split)
        pages: Texts = []
        answers: Texts = []
        while len(pages) < len(scenes.captions[split]):
            page = [rng.choice(said) for said in rng.sample(scenes.captions[split], PAGE)]
            colours = [c for caption in page for _, cs in parse_caption(caption)[0] for c in cs]
            if colours:
                pages.append(torch.cat(scenes.encode(page)))
                answers.append(torch.tensor([SHADES.index(colours[0]), SHADES.index(colours[-1])]))
        return pages, answers

    train, test = (write_pages(split) for split in SPLITS)
    return Task(
        shape, ("first colour on a page", "last colour on a page"), len(SHADES), train, test
    )


def find_around(shades: Sequence[int]) -> list[tuple[int, int]]:
    """At each place of a text, the last colour so far and the next; 0 stands for none.

    >>> find_around([0, 3, 0, 5])
    [(0, 3), (3, 5), (3, 5), (5, 0)]
    """
    so_far = _carry(shades)
    ahead = _carry([0, *shades[:0:-1]])[::-1]
    return list(zip(so_far, ahead, strict=True))


def _carry(shades: Sequence[int]) -> list[int]:
    last, found = 0, []
    for shade in shades:
        last = shade or last
        found.append(last)
    return found


def ask_colours_around(scenes: Scenes, shape: str) -> Task:
    """Each word of a caption: which colour was said last, and which one comes next?"""
    words = scenes.vocabulary.words
    shade = [SHADES.index(COLOURS[word]) + 1 if word in COLOURS else 0 for word in words]
    train, test = (
        (texts, [torch.tensor(find_around([shade[i] for i in text.tolist()])) for text in texts])
        for texts in (scenes.encode(scenes.one_each(split)) for split in SPLITS)
    )
    return Task(shape, ("last colour so far", "next colour"), len(SHADES) + 1, train, test, join)


def ask_left_out(scenes: Scenes, shape: str) -> Task:
    """Each word of a caption: which is it? START and END are given."""
    train, test = (
        (texts, [text[1:-1].unsqueeze(1) for text in texts])
        for texts in (scenes.encode(scenes.one_each(split)) for split in SPLITS)
    )
    return Task(shape, ("left-out word",), len(scenes.vocabulary), train, test, join)


def join(answers: Texts) -> torch.Tensor:
    """Answers about words (T, Q) in the order of packed words (M, Q)."""
    return pack(answers).data
