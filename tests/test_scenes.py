"""The drawn data set: what it promises of its pictures, its captions, its splits and its judge."""

import itertools
import random
import re
from collections import Counter

import numpy as np
import pytest

from captioner.scenes import judge_caption
from captioner.scenes.backdrop import Backdrop
from captioner.scenes.brush import OVERSAMPLING, SIZE
from captioner.scenes.captions import RELATION_WORDS, write_captions
from captioner.scenes.colours import SHADES, choose_shade
from captioner.scenes.judge import parse_caption
from captioner.scenes.kinds import KINDS
from captioner.scenes.pairs import HELD_OUT_COLOURS, HELD_OUT_PAIRS, PAIRS
from captioner.scenes.picture import draw_scene
from captioner.scenes.places import PLACES
from captioner.scenes.plan import Scene, plan_scene

OPPOSITES = {"above": "under", "under": "above", "in front of": "behind", "behind": "in front of"}
"""Of the words in captions; "on" has none that people say."""


def plan_many(split: str, count: int, seed: int = 0) -> list[tuple[Scene, list[str]]]:
    """Scenes with their captions, without the pictures, which take longer."""
    many = []
    for i in range(count):
        rng = random.Random(f"{seed} {split} {i}")
        scene = plan_scene(rng, split, i)
        many.append((scene, write_captions(scene, rng)))
    return many


def name_pairs(scene: Scene) -> set[tuple[str, str, str]]:
    """The relation of a scene, told from either side."""
    if scene.relation is None:
        return set()
    first, second = (thing.kind for thing in scene.things)
    told = {(scene.relation, first, second)}
    told.add((OPPOSITES.get(scene.relation, scene.relation), second, first))
    return told


def list_words(caption: str) -> list[str]:
    return re.findall(r"[a-z]+", caption.lower())


@pytest.fixture(scope="module")
def train() -> list[tuple[Scene, list[str]]]:
    return plan_many("train", 1500)


def test_every_caption_is_true_of_its_picture(train):
    for scene, captions in train:
        for caption in captions:
            verdict = judge_caption(caption, scene.describe())
            assert verdict.named >= 1, caption
            assert verdict.things_right, (caption, scene)
            assert verdict.colours_right, (caption, scene)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_relation_in_a_caption_is_true(split):
    words = {word: name for name, said in RELATION_WORDS.items() for word in said}
    pattern = re.compile(rf"(.+?) ({'|'.join(sorted(words, key=len, reverse=True))}) (.+)")
    told = Counter()
    for scene, captions in plan_many(split, 500):
        for caption in captions:
            kinds = [kind for kind, _ in parse_caption(caption)[0]]
            if len(kinds) < 2 or " and " in caption:
                continue
            turned = re.fullmatch(
                r"(.+) with (.+) (above|under|behind|in front of|on) it", text(caption)
            )
            if turned:
                kinds, relation = kinds[::-1], turned[3]
            else:
                match = pattern.fullmatch(text(caption))
                assert match is not None, caption
                relation = words[match[2]]
            assert (relation, *kinds) in name_pairs(scene), (caption, scene)
            told[relation] += 1
    assert set(told) == {"next to", "on", "under", "above", "in front of", "behind"}


def text(caption: str) -> str:
    return " ".join(list_words(caption))


def test_counts_in_captions_are_true(train):
    numbers = {"two": 2, "pair": 2, "three": 3, "four": 4}
    counted = 0
    for scene, captions in train:
        for word in (word for caption in captions for word in list_words(caption)):
            if word in numbers:
                assert numbers[word] == scene.things[0].count
                counted += 1
    assert counted > 300


def test_captions_are_five_different_short_ones(train):
    for _, captions in train:
        assert len({tuple(list_words(caption)) for caption in captions}) == 5
        assert all(3 <= len(caption.split()) <= 16 for caption in captions)


def test_articles_and_plurals_are_right(train):
    plurals = {word for kind in KINDS.values() for word in kind.plurals if word != "fish"}
    singulars = {word for kind in KINDS.values() for word in kind.words}
    for scene, captions in train:
        for caption in captions:
            words = list_words(caption)
            for article, word in itertools.pairwise(words):
                if article in ("a", "an"):
                    assert (article == "an") == (word[0] in "aeiou"), caption
            wrong = singulars - {"fish"} if scene.things[0].count > 1 else plurals
            assert not wrong & set(words), caption


def test_vocabulary_is_small_and_each_word_is_used_often(train):
    counts = Counter(word for _, captions in train for c in captions for word in list_words(c))
    assert 150 <= len(counts) <= 300
    assert sum(count >= 5 for count in counts.values()) >= 0.95 * len(counts)


def test_one_caption_of_five_says_every_colour(train):
    for scene, captions in train:
        stated = [
            {c for _, colours in parse_caption(caption)[0] for c in colours} for caption in captions
        ]
        assert {thing.colour for thing in scene.things} in stated


def test_train_has_every_kind_and_colour_in_many_combinations(train):
    things = [thing for scene, _ in train for thing in scene.things]
    kinds, colours = Counter(t.kind for t in things), Counter(t.colour for t in things)
    assert set(kinds) == set(KINDS)
    assert set(colours) == set(SHADES)
    assert min(kinds.values()) >= 15
    assert min(colours.values()) >= 30
    for colour in SHADES:
        assert len({t.kind for t in things if t.colour == colour}) >= 6


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_train_never_shows_a_held_out_combination(seed):
    colours = {pair for split in HELD_OUT_COLOURS.values() for pair in split}
    pairs = {pair for split in HELD_OUT_PAIRS.values() for pair in split}
    for scene, captions in plan_many("train", 800, seed):
        assert scene.held_out is None
        assert not {(thing.colour, thing.kind) for thing in scene.things} & colours
        assert not name_pairs(scene) & pairs
        for caption in captions:
            named = {(c, kind) for kind, said in parse_caption(caption)[0] for c in said}
            assert not named & colours


@pytest.mark.parametrize(("split", "other"), [("val", "test"), ("test", "val")])
def test_half_of_val_and_test_is_held_out(split, other):
    scenes = [scene for scene, _ in plan_many(split, 400)]
    assert Counter(scene.held_out for scene in scenes) == {
        None: 200,
        "colour": 100,
        "relation": 100,
    }
    for scene in scenes:
        colours = {(thing.colour, thing.kind) for thing in scene.things}
        assert bool(colours & set(HELD_OUT_COLOURS[split])) == (scene.held_out == "colour")
        assert bool(name_pairs(scene) & set(HELD_OUT_PAIRS[split])) == (
            scene.held_out == "relation"
        )
        assert not colours & set(HELD_OUT_COLOURS[other])
        assert not name_pairs(scene) & set(HELD_OUT_PAIRS[other])
    shown = {(t.colour, t.kind) for scene in scenes for t in scene.things}
    assert shown >= set(HELD_OUT_COLOURS[split])


def test_held_out_combinations_can_be_drawn_and_are_apart():
    for split in ("val", "test"):
        for colour, kind in HELD_OUT_COLOURS[split]:
            assert colour in KINDS[kind].colours
        assert all(pair in PAIRS[pair[0]] for pair in HELD_OUT_PAIRS[split])
    assert not set(HELD_OUT_COLOURS["val"]) & set(HELD_OUT_COLOURS["test"])
    assert not set(HELD_OUT_PAIRS["val"]) & set(HELD_OUT_PAIRS["test"])


def test_things_are_inside_the_picture_and_where_the_relation_says(train):
    seen = Counter()
    for scene, _ in train:
        truth = scene.describe()
        for thing in truth["things"]:
            assert len(thing["boxes"]) == thing["count"]
            for left, top, right, bottom in thing["boxes"]:
                assert -0.02 <= left < right <= 1.02, truth
                assert -0.02 <= top < bottom <= 1.0, truth
        if scene.relation is None:
            continue
        (a_left, a_top, a_right, a_bottom), (b_left, b_top, b_right, b_bottom) = (
            thing["boxes"][0] for thing in truth["things"]
        )
        flies = "air" in (thing.home for thing in scene.things)
        apart = max(a_left - b_right, b_left - a_right)
        if scene.relation == "next to":
            assert apart > -0.01, truth
        elif scene.relation == "above" or (scene.relation == "under" and flies):
            gap = b_top - a_bottom if scene.relation == "above" else a_top - b_bottom
            assert gap > 0, truth
            assert apart < 0, truth
        elif scene.relation == "under":
            assert (a_top + a_bottom) / 2 > (b_top + b_bottom) / 2, truth
            assert max(b_left - a_left, a_right - b_right) < 0.06, truth
        elif scene.relation == "on":
            surface = b_bottom - KINDS[scene.things[1].kind].touch * (b_bottom - b_top)
            assert abs(a_bottom - surface) < 0.04, truth
            assert b_left < (a_left + a_right) / 2 < b_right, truth
        else:
            assert (a_bottom > b_bottom) == (scene.relation == "in front of"), truth
            assert apart < 0, truth
        seen[scene.relation] += 1
    assert set(seen) == set(RELATION_WORDS)


@pytest.mark.parametrize("name", list(PLACES))
def test_no_colour_that_a_place_allows_is_lost_in_it(name):
    """What is behind a thing, in the middle, is far from the colours it can have there."""
    place = PLACES[name]
    grounds, skies = [], []
    for seed in range(6):
        bare = Backdrop(random.Random(seed))
        place.paint(bare)
        pixels = np.asarray(bare.image.reduce(OVERSAMPLING), dtype=float)
        horizon = round(SIZE * min(place.horizon, 0.9))
        skies.append(np.median(pixels[SIZE // 20 : horizon - SIZE // 8], axis=(0, 1)))
        grounds.append(np.median(pixels[horizon + SIZE // 40 :], axis=(0, 1)))
    for kind in KINDS.values():
        for home in set(kind.homes) & set(place.homes):
            behind = skies if home in ("air", "deep") else grounds
            hidden = place.sky if home == "air" else place.ground
            for colour in set(kind.colours) - set(hidden):
                shade = np.array(choose_shade(colour, random.Random(0)), dtype=float)
                nearest = min(np.linalg.norm(shade - median) for median in behind)
                assert nearest > 70, (name, home, colour, nearest)


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_thing_has_its_colour_and_stands_out(split):
    for i in range(60):
        rng = random.Random(f"pixels {split} {i}")
        scene = plan_scene(rng, split, i)
        again = random.Random()
        again.setstate(rng.getstate())
        picture = np.asarray(draw_scene(scene, rng), dtype=float)
        bare = Backdrop(again)
        PLACES[scene.background].paint(bare)
        behind = np.asarray(bare.image.reduce(OVERSAMPLING), dtype=float)
        assert picture.shape == (SIZE, SIZE, 3)
        for thing in scene.describe()["things"]:
            shade = np.array(choose_shade(thing["colour"], random.Random(0)), dtype=float)
            for box in thing["boxes"]:
                left, top, right, bottom = (round(SIZE * min(1, max(0, edge))) for edge in box)
                inside = picture[top:bottom, left:right]
                painted = np.linalg.norm(inside - shade, axis=-1) < 75
                assert painted.mean() > 0.04, (thing, scene.background)
                ground = behind[top:bottom, left:right][painted]
                assert np.linalg.norm(ground - shade, axis=-1).mean() > 70, (
                    thing,
                    scene.background,
                )


def test_judge_refuses_the_captions_of_other_pictures(train):
    """A caption moved to a picture without its thing, or with its colour changed, is wrong."""
    for (scene, captions), (other, _) in itertools.pairwise(train):
        truth = other.describe()
        strange = {thing.kind for thing in scene.things} - {thing.kind for thing in other.things}
        strange -= set(PLACES[other.background].shows)
        for caption in captions:
            named = {kind for kind, _ in parse_caption(caption)[0]}
            if named & strange:
                assert not judge_caption(caption, truth).things_right
            for thing in scene.things:
                painted = caption.replace(f"{thing.colour} {thing.kind}", f"teal {thing.kind}")
                wrong = "red" if thing.colour != "red" else "blue"
                painted = painted.replace("teal", wrong)
                if painted != caption:
                    assert not judge_caption(painted, scene.describe()).colours_right, painted
