"""What may be said, and which rule gives way where they leave nothing to say."""

import numpy as np
import pytest
from search_oracles import MadeUp, captions, repeats

from captioner.config import SearchConfig
from captioner.search import search
from captioner.vocabulary import END, PAD, START, UNK

WAYS = {
    "greedy": {"beam_size": 1},
    "beams": {"beam_size": 3},
    "groups": {"beam_size": 4, "groups": 2},
    "sampled": {"sample": True, "num_captions": 2},
    "coldly sampled": {"sample": True, "num_captions": 2, "temperature": 0.0},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict:
    return WAYS[request.param]


def without(*words: int, seed: int = 0) -> MadeUp:
    """A network that never says these words."""
    made_up = MadeUp(seed)
    made_up.table[:, list(words)] = -np.inf
    return made_up


def test_the_rules_hold(way: dict) -> None:
    config = SearchConfig(**way, min_words=3, max_words=6, no_repeat=2)
    found = MadeUp(1, V=9, sharpness=4.0).search(range(12), config, must_not=[5, 8])
    for place in range(12):
        for caption in captions(found, place):
            assert caption[-1] == END
            assert 3 <= len(caption) - 1 <= 6
            assert not {PAD, START, UNK, END, 5, 8} & {*caption[:-1]}
            assert not repeats(caption, 2)


def test_a_caption_ends_early_where_nothing_may_be_said(way: dict) -> None:
    """Three words, none of them twice, and five are wanted."""
    made_up = MadeUp(2)
    found = made_up.search(range(5), SearchConfig(**way, min_words=5, no_repeat=1))
    for place in range(5):
        for k, caption in enumerate(captions(found, place)):
            assert sorted(caption) == [END, 4, 5, 6]
            expected = made_up.log_prob(place, caption)
            assert found.log_probs[place, k].item() == pytest.approx(expected, abs=1e-4)


def test_what_is_finished_within_the_rules_comes_before_what_is_not() -> None:
    """Most beams run into a dead end after one word; another goes on to the two words wanted."""

    def step(words, state, memory):
        log_probs = np.full((len(words), 8), -np.inf)
        log_probs[words == START, 4:7] = np.log([0.6, 0.3, 0.1])
        log_probs[words == 6, 7] = 0.0
        log_probs[:, END] = -0.1
        return log_probs, state

    found = search(step, (np.zeros((2, 1)),), (), SearchConfig(3, num_captions=3, min_words=2))
    assert captions(found, 0) == captions(found, 1) == [(6, 7, END)]


def test_words_that_cannot_be_said_are_left_out() -> None:
    made_up = without(5)
    made_up.table[:, 6] -= 3  # the best caption of all does without it
    for must, said in (([5], set()), ([5, 6], {6}), ([4, 5, 6], {4, 6})):
        found = made_up.search(range(4), SearchConfig(3, max_words=5), must=must)
        for place in range(4):
            (caption,) = captions(found, place)
            assert said <= {*caption}
            assert 5 not in caption
            assert caption[-1] == END


def test_a_network_that_never_ends_is_ended(way: dict) -> None:
    found = without(END).search(range(3), SearchConfig(**way, max_words=4))
    for place in range(3):
        for k, caption in enumerate(captions(found, place)):
            assert len(caption) == 5
            assert caption[-1] == END
            assert np.isfinite(found.log_probs[place, k].item())


def test_a_network_without_words_ends_at_once(way: dict) -> None:
    found = without(4, 5, 6).search(range(3), SearchConfig(**way))
    for place in range(3):
        assert {*captions(found, place)} == {(END,)}


def test_unk_is_never_said_even_if_it_is_likeliest(way: dict) -> None:
    made_up = MadeUp(0)
    made_up.table[:] = -9.0
    made_up.table[:, [PAD, START, UNK]] = -0.01
    made_up.table[:, 5] = -1.0
    found = made_up.search(range(2), SearchConfig(**way, max_words=3, min_words=3), must_not=[4, 6])
    for place in range(2):
        assert {*captions(found, place)} == {(5, 5, 5, END)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beam_size": -1}, "beam_size -1 must not be below 0"),
        ({"max_words": 0}, "max_words 0"),
        ({"min_words": 0}, "min_words 0"),
        ({"min_words": 5, "max_words": 4}, "min_words must not be above max_words"),
        ({"num_captions": 0, "sample": True}, "num_captions 0"),
        ({"no_repeat": -1}, "no_repeat -1 must not be below 0"),
        ({"diversity": -0.1}, "diversity"),
        ({"diversity": float("nan")}, "diversity"),
        ({"length_penalty": float("nan")}, "length_penalty"),
        ({"beam_size": 3, "groups": 2}, "groups must divide beam_size"),
        ({"groups": 3, "must": ("dog",)}, "groups do not go together with must"),
        ({"groups": 3, "sample": True}, "groups do not go together with sample"),
        ({"sample": True, "must": ("dog",)}, "must does not go together with sample"),
        ({"must": ("a", "dog"), "must_not": ("dog",)}, "both have dog"),
        ({"temperature": 0.5}, "are for sample"),
        ({"top_k": 5}, "are for sample"),
        ({"top_p": 0.9}, "are for sample"),
        ({"temperature": -1.0, "sample": True}, "temperature -1.0 must not be below 0"),
        ({"top_k": -1, "sample": True}, "top_k -1"),
        ({"top_p": 0.0, "sample": True}, "top_p must be above 0"),
        ({"top_p": 1.5, "sample": True}, "top_p must be above 0"),
        ({"seed": -1}, "seed must be from 0"),
    ],
)
def test_settings_that_make_no_sense(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "words", "message"),
    [
        ({}, {"must": [5], "must_not": [4, 5]}, "the same word"),
        ({}, {"must": [4, 5, 6, 7, 8]}, "4 are the most"),
        ({"max_words": 1}, {"must": [4, 5]}, "more words than max_words"),
        ({}, {"must": [END]}, "no word's"),
        ({}, {"must_not": [UNK]}, "no word's"),
        ({}, {"must": [-1]}, "no word's"),
        ({}, {"must": [9]}, "above 8, the last word"),
        ({}, {"must_not": [99]}, "above 8, the last word"),
        ({}, {"must_not": [4, 5, 6, 7, 8]}, "leaves no word to say"),
        ({"groups": 3}, {"must": [4]}, "must goes neither"),
        ({"sample": True}, {"must": [4]}, "must goes neither"),
        ({"must": ("dog",)}, {}, "config.must has words"),
        ({"must_not": ("dog",)}, {}, "config.must_not has words"),
    ],
)
def test_words_that_make_no_sense(settings: dict, words: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MadeUp(0, V=9).search(range(2), SearchConfig(**settings), **words)


def test_a_word_named_twice_is_one_word() -> None:
    made_up = MadeUp(0)
    once, twice = (made_up.search([3], SearchConfig(), must=must) for must in ([4], [4, 4]))
    assert captions(once, 0) == captions(twice, 0)


def test_a_search_needs_to_know_how_many_photos_there_are() -> None:
    with pytest.raises(ValueError, match="a row per photo"):
        search(lambda words, state, memory: (words, state), ())


def test_no_more_captions_than_beams() -> None:
    with pytest.raises(ValueError, match="num_captions 4 must not be above beam_size 3"):
        search(lambda *_: None, (np.zeros((2, 1)),), (), SearchConfig(num_captions=4))
