"""The four shapes of input and output, each with an example learned from drawn scenes' captions.

    one-to-one      a vector -> an answer, no recurrence    bag of words -> background, colours
    one-to-many     a vector -> words                       facts of a scene -> caption
    many-to-one     words -> an answer                      page of captions -> first, last colour
    many-to-many    words -> an answer for each             the colours around it; the word itself

Karpathy 2015 (The Unreasonable Effectiveness of Recurrent Neural Networks).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from captioner.cells import CELLS
from captioner.config import DecoderConfig, Recipe
from captioner.data import CaptionData
from captioner.decoder import PooledDecoder
from captioner.losses import softmax_loss
from captioner.reading.learning import Example, Task, Texts
from captioner.reading.networks import Bag, GapReader, Reader, pack
from captioner.scenes import describe_scenes, judge_captions, split_sizes
from captioner.scenes.judge import COLOURS, parse_caption
from captioner.search import greedy_search
from captioner.vocabulary import Vocabulary

PAGE = 3
"""Captions on a page, each of another scene."""
SHOWN = 3
"""Answers of a network that are shown."""
SHADES = sorted({*COLOURS.values()})

Facts = dict[str, Any]


class Scenes:
    """The captions of drawn scenes and what these show.

    Args:
        number: Of scenes, over all splits; val is not used.

    Raises:
        InputError: if they are too few for splits.
    """

    def __init__(self, number: int) -> None:
        sizes = split_sizes(number)
        described = {split: [*describe_scenes(split, sizes[split])] for split in ("train", "test")}
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


def one_to_one(scenes: Scenes) -> list[Example]:
    """Bag of words -> background: no word is read before another, and none needs to be.

    Of the first and last colours of a page the bag knows only which there are, not their order.
    """
    names = sorted({facts["background"] for facts in scenes.facts["train"]})
    train, test = (
        (
            scenes.encode(scenes.one_each(split)),
            [torch.tensor([names.index(facts["background"])]) for facts in scenes.facts[split]],
        )
        for split in ("train", "test")
    )
    background = Task("one-to-one", ("background of a caption",), len(names), train, test)
    V = len(scenes.vocabulary)
    return [
        task.example("bag of words", lambda outputs: Bag(V, outputs))
        for task in (background, about_pages(scenes, "one-to-one"))
    ]


def list_facts(facts: Facts) -> list[str]:
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


def one_to_many(scenes: Scenes, recipe: Recipe) -> list[Example]:
    """Facts of a scene, a vector of noughts and ones -> its caption: the captioner's own decoder.

    It is judged as a captioner is: are the things that it names there, have they these colours?
    A blind guess is the caption of another scene.
    """
    known = sorted({fact for facts in scenes.facts["train"] for fact in list_facts(facts)})
    vectors = {
        split: np.array([[fact in list_facts(facts) for fact in known] for facts in part], "f4")
        for split, part in scenes.facts.items()
    }
    vocabulary = scenes.vocabulary
    data = CaptionData(scenes.captions["train"], vectors["train"], vocabulary)
    config = DecoderConfig(
        cell=recipe.cell,
        embedding=recipe.embedding,
        hidden=recipe.hidden,
        dropout=0.0,
        features=len(known),
    )

    def loss(decoder: PooledDecoder, rows: Tensor) -> Tensor:
        batch = data.batch(rows)
        scores, _ = decoder.packed_scores(decoder.start(batch.maps), batch.words)
        return softmax_loss(scores.data, batch.targets.data, len(rows))

    def write(decoder: PooledDecoder) -> list[str]:
        start = decoder.start(torch.from_numpy(vectors["test"]))
        found = greedy_search(decoder.step, start, vocabulary.max_words)
        return [vocabulary.decode(words) for words in found.words[:, 0].tolist()]

    def judge(captions: list[str]) -> tuple[float, float]:
        shares = judge_captions(captions, scenes.facts["test"])
        return shares["things_right"], shares["colours_right"]

    def show(decoder: PooledDecoder) -> list[str]:
        told = zip(scenes.facts["test"], write(decoder), strict=True)
        return [f"{', '.join(list_facts(facts))} -> {caption}" for facts, caption in told][:SHOWN]

    said = scenes.one_each("test")
    return [
        Example(
            shape="one-to-many",
            asked=("caption: true things", "caption: true colours"),
            network=f"{recipe.cell} decoder",
            guesses=judge(said[1:] + said[:1]),
            num=len(data),
            make=lambda: PooledDecoder(config, len(vocabulary)),
            loss=loss,
            score=lambda decoder: judge(write(decoder)),
            show=show,
        )
    ]


def about_pages(scenes: Scenes, shape: str) -> Task:
    """Captions of `PAGE` scenes, one after the other: whose colours are named first, and last?

    A page of two dozen words, so that what stands at its beginning is long past at its end.
    """

    def write_pages(split: str) -> tuple[Texts, Texts]:
        rng = random.Random(split)
        pages, answers = [], []
        while len(pages) < len(scenes.captions[split]):
            page = [rng.choice(said) for said in rng.sample(scenes.captions[split], PAGE)]
            colours = [c for caption in page for _, cs in parse_caption(caption)[0] for c in cs]
            if colours:
                pages.append(torch.cat(scenes.encode(page)))
                answers.append(torch.tensor([SHADES.index(colours[0]), SHADES.index(colours[-1])]))
        return pages, answers

    asked = ("first colour on a page", "last colour on a page")
    return Task(shape, asked, len(SHADES), write_pages("train"), write_pages("test"))


def many_to_one(scenes: Scenes, recipe: Recipe) -> list[Example]:
    """The first and the last colour of a page, by each cell, forwards and in both directions.

    Forwards, the first colour must be carried past all that follows; backwards, it has only just
    been read. The last colour has only just been read forwards, so there backwards adds little.
    """
    task = about_pages(scenes, "many-to-one")
    return [
        task.example(f"{cell} {way}", partial(Reader, cell, len(scenes.vocabulary), **sizes))
        for cell in CELLS
        for way, sizes in ways(replace(recipe, layers=1)).items()
    ]


def ways(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """How a text can be read: forwards, in both directions, and that with several layers."""
    sizes: dict[str, Any] = {"embedding": recipe.embedding, "hidden": recipe.hidden}
    found = {"forwards": sizes, "both ways": sizes | {"bidirectional": True}}
    if recipe.layers > 1:
        deep = {"bidirectional": True, "layers": recipe.layers}
        found[f"both ways, {recipe.layers} layers"] = sizes | deep
    return found


def many_to_many(scenes: Scenes, recipe: Recipe) -> list[Example]:
    """For each word of a caption: the colours said last and next, and, left out, the word itself.

    The last colour so far is known forwards; the next one, and what a gap wants, stand ahead.
    """
    V = len(scenes.vocabulary)
    texts = {split: scenes.encode(scenes.one_each(split)) for split in ("train", "test")}

    def task(asked: tuple[str, ...], num_answers: int, answer: Callable[[Tensor], Tensor]) -> Task:
        train, test = ((part, [answer(text) for text in part]) for part in texts.values())
        join = lambda answers: pack(answers).data  # noqa: E731
        return Task("many-to-many", asked, num_answers, train, test, join)

    shade = torch.tensor([SHADES.index(COLOURS[w]) + 1 if w in COLOURS else 0
                          for w in scenes.vocabulary.words])  # fmt: skip

    def around(text: Tensor) -> Tensor:
        so_far = list(accumulate(shade[text].tolist(), lambda last, new: new or last))
        ahead = list(accumulate(shade[text.flip(0)].tolist(), lambda last, new: new or last))
        return torch.tensor([so_far, [*ahead[-2::-1], 0]]).T  # (T, 2)

    colours = task(("last colour so far", "next colour"), len(SHADES) + 1, around)
    left_out = task(("left-out word",), V, lambda text: text[1:-1].unsqueeze(1))
    return [
        colours.example(
            f"{recipe.cell} {way}", partial(Reader, recipe.cell, V, **sizes), Reader.label
        )
        for way, sizes in ways(recipe).items()
    ] + [
        left_out.example(f"{recipe.cell} {way}", partial(GapReader, recipe.cell, **sizes))
        for way, sizes in ways(recipe).items()
    ]


def list_examples(number: int, recipe: Recipe) -> list[Example]:
    """Those of all four shapes, on so many drawn scenes.

    Raises:
        InputError: if these are too few.
    """
    scenes = Scenes(number)
    return [
        *one_to_one(scenes),
        *one_to_many(scenes, recipe),
        *many_to_one(scenes, recipe),
        *many_to_many(scenes, recipe),
    ]
