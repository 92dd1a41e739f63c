"""The four shapes of input and output, each with an example learned from drawn scenes' captions.

    one-to-one      a vector -> an answer, no recurrence    bag of words -> background, colours
    one-to-many     a vector -> words                       facts of a scene -> caption
    many-to-one     words -> an answer                      page of captions -> first, last colour
    many-to-many    words -> an answer for each             the colours around it; the word itself

Karpathy 2015 (The Unreasonable Effectiveness of Recurrent Neural Networks).
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from captioner.cells import CELLS
from captioner.config import DecoderConfig, Recipe, SearchConfig
from captioner.data import CaptionData
from captioner.decoders import PooledDecoder
from captioner.reading.learning import Example
from captioner.reading.networks import Bag, GapReader, Reader
from captioner.reading.questions import (
    Scenes,
    ask_background,
    ask_colours_around,
    ask_first_and_last,
    ask_left_out,
    list_facts,
)
from captioner.scenes import judge_captions
from captioner.search import search

SHOWN = 3
"""Captions that are shown."""


def list_examples(number: int, recipe: Recipe) -> list[Example]:
    """Those of all four shapes, on so many drawn scenes.

    Raises:
        InputError: if these are too few.
    """
    scenes = Scenes(number)
    return [
        *one_to_one(scenes, recipe),
        one_to_many(scenes, recipe),
        *many_to_one(scenes, recipe),
        *many_to_many(scenes, recipe),
    ]


def list_ways(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """How a network can read: forwards, in both directions, and that with several layers.

    Forwards, its state is as wide as the other's two together (2 H), so that it is no smaller.
    """
    H = recipe.hidden
    both: dict[str, Any] = {"embedding": recipe.embedding, "hidden": H, "bidirectional": True}
    ways = {"forwards": {"embedding": recipe.embedding, "hidden": 2 * H}, "both ways": both}
    if recipe.layers > 1:
        ways[f"both ways, {recipe.layers} layers"] = {**both, "layers": recipe.layers}
    return ways


def one_to_one(scenes: Scenes, recipe: Recipe) -> list[Example]:
    """A bag of words, a vector -> the background: which words are said tells it, not their order.

    Of the colours on a page the bag knows which there are; which is the first it must guess.
    """
    tasks = ask_background(scenes, "one-to-one"), ask_first_and_last(scenes, "one-to-one")
    make = partial(Bag, len(scenes.vocabulary), hidden=recipe.hidden)
    return [task.example("bag of words", make) for task in tasks]


def one_to_many(scenes: Scenes, recipe: Recipe) -> Example:
    """Facts of a scene, a vector of noughts and ones -> its caption, by the captioner's decoder.

    It is judged as a captioner is: are the things that it names there, have they these colours?
    Half the test scenes have a colour or a relation of things that no training scene has.
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
        hidden, _ = decoder.read(batch.features, batch.photo, batch.words)
        return decoder.loss(hidden, batch.targets)

    def write(decoder: PooledDecoder) -> list[str]:
        start = decoder.start(torch.from_numpy(vectors["test"]))
        config = SearchConfig(beam_size=1, max_words=vocabulary.max_words)
        found = search(decoder.step, start, (), config)
        return [vocabulary.decode(words) for words in found.words[:, 0].tolist()]

    def judge(captions: list[str]) -> tuple[float, float]:
        shares = judge_captions(captions, scenes.facts["test"])
        return shares["things_right"], shares["colours_right"]

    def show(decoder: PooledDecoder) -> list[str]:
        told = zip(scenes.facts["test"], write(decoder), strict=True)
        return [f"{', '.join(list_facts(facts))} -> {caption}" for facts, caption in told][:SHOWN]

    said = scenes.one_each("test")
    return Example(
        shape="one-to-many",
        questions=("caption: true things", "caption: true colours"),
        network=f"{recipe.cell} decoder",
        blind=judge(said[1:] + said[:1]),
        num=len(data),
        make=lambda: PooledDecoder(config, len(vocabulary)),
        loss=loss,
        score=lambda decoder: judge(write(decoder)),
        show=show,
    )


def many_to_one(scenes: Scenes, recipe: Recipe) -> list[Example]:
    """The first and the last colour on a page, by each cell, forwards and in both directions.

    Here reading backwards helps with the first colour: forwards it must be carried past all that
    follows, backwards it has only just been read. With the last colour it helps little or nothing.
    """
    task = ask_first_and_last(scenes, "many-to-one")
    V = len(scenes.vocabulary)
    return [
        task.example(f"{cell} {way}", partial(Reader, cell, V, **sizes))
        for cell in CELLS
        for way, sizes in list_ways(replace(recipe, layers=1)).items()
    ]


def many_to_many(scenes: Scenes, recipe: Recipe) -> list[Example]:
    """The colours before and after each word of a caption, and the word itself, left out.

    Here reading backwards helps with what stands ahead, the next colour and what a gap wants; of
    the last colour so far there is nothing more to know. More layers hardly help: they could learn
    more, but captions so plain and so few do not teach more.
    """
    colours = ask_colours_around(scenes, "many-to-many")
    left_out = ask_left_out(scenes, "many-to-many")
    cell, V = recipe.cell, len(scenes.vocabulary)
    ways = list_ways(recipe).items()
    return [
        *(
            colours.example(f"{cell} {way}", partial(Reader, cell, V, **sizes), Reader.label)
            for way, sizes in ways
        ),
        *(
            left_out.example(f"{cell} {way}", partial(GapReader, cell, **sizes))
            for way, sizes in ways
        ),
    ]
