"""Beam search and greedy search against an exhaustive and a plain search."""

import pytest
import torch
from search_oracles import (
    MadeUp,
    captions,
    every_caption,
    plain_beam_search,
    with_beams,
)

from captioner.config import SearchConfig
from captioner.search import search
from captioner.vocabulary import END, PAD, START, UNK

RULES: dict[str, tuple[SearchConfig, dict]] = {
    "mean": (SearchConfig(max_words=4), {}),
    "sum": (SearchConfig(max_words=4, length_penalty=0.0), {}),
    "long": (SearchConfig(max_words=4, length_penalty=2.0), {}),
    "short": (SearchConfig(max_words=4, length_penalty=-0.5), {}),
    "min": (SearchConfig(max_words=4, min_words=3), {}),
    "exact": (SearchConfig(max_words=3, min_words=3), {}),
    "one word": (SearchConfig(max_words=1), {}),
    "no word twice": (SearchConfig(max_words=4, no_repeat=1), {}),
    "no pair twice": (SearchConfig(max_words=4, no_repeat=2, length_penalty=1.5), {}),
    "no three twice": (SearchConfig(max_words=4, no_repeat=3), {}),
    "must not": (SearchConfig(max_words=4), {"must_not": (5,)}),
    "must": (SearchConfig(max_words=4), {"must": (5,)}),
    "must both": (SearchConfig(max_words=4, length_penalty=0.5), {"must": (4, 6)}),
    "must all": (SearchConfig(max_words=4), {"must": (6, 4, 5)}),
    "must all, and no more": (SearchConfig(max_words=3), {"must": (4, 5, 6)}),
    "must and must not": (SearchConfig(max_words=4), {"must": (4,), "must_not": (6,)}),
    "must, long, nothing twice": (
        SearchConfig(max_words=3, min_words=2, no_repeat=1),
        {"must": (5, 6)},
    ),
}
NUMBERS = (0, 1, 2, 7, 8, 30)


@pytest.mark.parametrize("name", RULES)
def test_enough_beams_equal_exhaustive_search(name: str) -> None:
    config, words = RULES[name]
    for seed in range(2):
        made_up = MadeUp(seed)
        found = made_up.search(NUMBERS[:3], with_beams(config, 90, 5), **words)
        for place, photo in enumerate(NUMBERS[:3]):
            best = every_caption(made_up, photo, config, **words)[:5]
            assert captions(found, place) == [caption for _, caption in best]
            for k, (_, caption) in enumerate(best):
                expected = made_up.log_prob(photo, caption)
                assert found.log_probs[place, k].item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_a_batch_equals_a_plain_search_of_each_photo(name: str, beam_size: int) -> None:
    config, words = RULES[name]
    for seed in range(2):
        made_up = MadeUp(seed, V=9)
        config = with_beams(config, beam_size, beam_size)
        found = made_up.search(NUMBERS, config, **words)
        for place, photo in enumerate(NUMBERS):
            expected = plain_beam_search(made_up, photo, config, **words)
            assert captions(found, place)[: len(expected)] == expected


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.0])
def test_longer_captions_equal_a_plain_search(sharpness: float, length_penalty: float) -> None:
    """Of all lengths, in a batch that photos leave one by one."""
    made_up = MadeUp(3, V=30, sharpness=sharpness)
    config = SearchConfig(4, num_captions=3, max_words=15, length_penalty=length_penalty)
    found = made_up.search(range(25), config)
    for photo in range(25):
        assert captions(found, photo) == plain_beam_search(made_up, photo, config)


def test_one_beam_says_the_likeliest_word_each_time() -> None:
    made_up = MadeUp(5)
    found = made_up.search(range(20), SearchConfig(1, max_words=6))
    for photo in range(20):
        (caption,) = captions(found, photo)
        for t, word in enumerate(caption):
            log_probs = made_up.log_probs(photo, caption[:t])
            may = range(UNK + 1, made_up.V) if t == 0 else [END, *range(UNK + 1, made_up.V)]
            assert word == (END if t == 6 else max(may, key=log_probs.__getitem__))
        assert found.log_probs[photo, 0].item() == pytest.approx(
            made_up.log_prob(photo, caption), abs=1e-4
        )


@pytest.mark.parametrize("beam_size", [1, 3])
def test_captions_are_finished_and_of_real_words(beam_size: int) -> None:
    for seed in range(10):
        found = MadeUp(seed, sharpness=6.0).search(range(9), SearchConfig(beam_size, max_words=4))
        for place in range(9):
            ((*words, end),) = captions(found, place)
            assert end == END
            assert 1 <= len(words) <= 4
            assert not {PAD, START, UNK, END} & {*words}


def test_the_network_is_not_asked_more_than_it_must_be() -> None:
    made_up = MadeUp(1)
    made_up.search(range(12), SearchConfig(3, max_words=15))
    assert made_up.rows[0] == (12, 12)  # the beams are still the same
    assert all(captions == 3 * photos for captions, photos in made_up.rows[1:])
    left = [photos for _, photos in made_up.rows]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 12

    greedy = MadeUp(1, V=20)
    found = greedy.search(range(12), SearchConfig(1, max_words=15))
    lengths = [len(captions(found, place)[0]) for place in range(12)]
    assert sum(captions for captions, _ in greedy.rows) == sum(lengths)


def test_more_captions_than_there_are() -> None:
    """Three captions of one word; the other places stay empty."""
    found = MadeUp(0).search([0], SearchConfig(10, num_captions=10, max_words=1))
    assert len(captions(found, 0)) == 3
    assert found.words[0, 3:].tolist() == [[PAD, PAD]] * 7
    assert torch.isneginf(found.log_probs[0, 3:]).all()


def test_a_caption_goes_on_from_its_beginning() -> None:
    made_up = MadeUp(2)
    state, memory = made_up.photos([4])
    _, state = made_up.step(torch.tensor([START]), state, memory)
    found = search(
        made_up.step, state, memory, SearchConfig(90, max_words=3), words=torch.tensor([6])
    )
    config = SearchConfig(max_words=4, min_words=2)
    best = max(
        (made_up.log_prob(4, caption) - made_up.log_prob(4, (6,))) / (len(caption) - 1)
        for _, caption in every_caption(made_up, 4, config)
        if caption[0] == 6
    )
    (caption,) = captions(found, 0)
    assert found.log_probs[0, 0].item() / len(caption) == pytest.approx(best, abs=1e-4)


def test_no_photos_no_captions() -> None:
    for config in (SearchConfig(2, num_captions=2), SearchConfig(sample=True, num_captions=2)):
        found = MadeUp(0).search([], config)
        assert found.words.shape == (0, 2, 0)
        assert found.log_probs.shape == (0, 2)
