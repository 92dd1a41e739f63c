"""Sampled search: words come as often as their chance says, and a seed decides."""

import numpy as np
import pytest
import torch
from search_oracles import MadeUp, captions

from captioner.config import SearchConfig
from captioner.search import Found, search
from captioner.search.draw import draw
from captioner.search.randomness import philox, uniforms
from captioner.vocabulary import END, PAD, START, UNK

CHANCES = np.array([0.05, 0.05, 0.2, 0.1, 0.3, 0.2, 0.1], dtype=np.float32)
"""Of PAD, START, END, UNK and three words: the same at each step."""
MANY = 20_000


def step(words, state, memory):
    return torch.from_numpy(np.log(CHANCES)).repeat(len(words), 1), state


def sample(photos: int = 200, **more) -> Found:
    config = SearchConfig(sample=True, **{"max_words": 3, "num_captions": 100} | more)
    return search(step, (torch.zeros(photos, 1),), (), config)


def shares(words: torch.Tensor) -> list[float]:
    return [(words == word).float().mean().item() for word in range(len(CHANCES))]


def test_words_come_as_often_as_their_chance_says() -> None:
    words = sample().words  # (200, 100, T)
    assert words.shape[:2] == (200, 100)
    first, second = words[:, :, 0], words[:, :, 1]
    # Never PAD, START or UNK; no END at once.
    assert shares(first) == pytest.approx([0, 0, 0, 0, 0.5, 1 / 3, 1 / 6], abs=0.01)
    assert shares(second) == pytest.approx([0, 0, 0.25, 0, 0.375, 0.25, 0.125], abs=0.01)
    # What was said first says nothing about what comes second.
    pairs = (first == 4) & (second == 4)
    assert pairs.float().mean().item() == pytest.approx(0.5 * 0.375, abs=0.01)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"temperature": 0.5}, [9 / 14, 4 / 14, 1 / 14]),
        ({"temperature": 0.01}, [1, 0, 0]),
        ({"top_k": 2}, [0.6, 0.4, 0]),
        ({"top_k": 99}, [1 / 2, 1 / 3, 1 / 6]),
        ({"top_p": 0.7}, [0.6, 0.4, 0]),
        ({"top_p": 0.5}, [1, 0, 0]),  # the first alone holds the share already
        ({"top_p": 0.01}, [1, 0, 0]),
        ({"top_k": 3, "top_p": 0.99}, [1 / 2, 1 / 3, 1 / 6]),
        # First the temperature, then the share: 9/14 is below 0.65, 13/14 above.
        ({"temperature": 0.5, "top_p": 0.65}, [9 / 13, 4 / 13, 0]),
    ],
)
def test_fewer_words_or_a_sharper_choice(more: dict, expected: list[float]) -> None:
    assert shares(sample(**more).words[:, :, 0])[4:] == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize("of", [torch.from_numpy, np.asarray])
@pytest.mark.parametrize("V", [300, 512, 700])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.6, 0, 1.0), (1.0, 20, 1.0), (1.0, 0, 0.9), (1.5, 0, 0.99), (0.8, 30, 0.5)],
)
def test_all_words_of_a_large_vocabulary(
    V: int, temperature: float, top_k: int, top_p: float, of
) -> None:
    """Evenly spread lots fall on each word in proportion to its chance."""
    random = np.random.default_rng(V)
    scores = random.normal(size=V).astype(np.float32)
    scores[PAD] = -np.inf
    log_probs = scores - np.log(np.exp(scores).sum())
    lots = ((np.arange(MANY) + 0.5) / MANY).astype(np.float32)
    words = draw(of(log_probs[None, None]), of(lots[None]), temperature, top_k, top_p)

    chances = np.exp(log_probs.astype(float) / temperature)
    chances /= chances.sum()
    order = np.argsort(-chances)
    before = np.cumsum(chances[order]) - chances[order]
    kept = order[: top_k or V][before[: top_k or V] < top_p]
    expected = np.zeros(V)
    expected[kept] = chances[kept] / chances[kept].sum()
    counts = np.bincount(np.asarray(words)[0], minlength=V)
    assert not counts[expected == 0].any()
    # A lane's part of the line begins anywhere, so that a count is off by less than two.
    assert np.abs(counts - expected * MANY).max() < 3


def test_rows_of_their_own_are_drawn_like_shared_ones() -> None:
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(600), size=(5, 1)))
    log_probs[:, :, PAD] = -np.inf
    lots = np.random.default_rng(1).random((5, 8))
    shared = draw(log_probs, lots)
    assert draw(log_probs.repeat(8, axis=1), lots).tolist() == shared.tolist()
    assert len({*shared.reshape(-1).tolist()}) > 30


def test_the_first_and_the_last_lot_fall_on_words_that_may_be() -> None:
    last = 1 - 2.0**-23
    for V in (6, 515):
        log_probs = np.full((1, 1, V), -np.inf, dtype=np.float32)
        log_probs[0, 0, [4, 5]] = np.log(np.float32([0.3, 0.7]))
        lots = np.array([[0.0, last]], dtype=np.float32)
        for settings in ((1.0, 0, 1.0), (1.0, 2, 1.0), (1.0, 0, 0.99)):
            assert {*draw(log_probs, lots, *settings)[0].tolist()} == {4, 5}


def test_every_caption_ends_and_log_probs_are_of_the_network() -> None:
    made_up = MadeUp(1)
    config = SearchConfig(sample=True, num_captions=5, max_words=6, temperature=0.7)
    found = made_up.search(range(30), config)
    for photo in range(30):
        for k, caption in enumerate(captions(found, photo)):
            assert caption.index(END) == len(caption) - 1
            assert 2 <= len(caption) <= 7
            assert not {PAD, START, UNK} & {*caption}
            expected = made_up.log_prob(photo, caption)
            assert found.log_probs[photo, k].item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("more", [{}, {"top_k": 3}, {"top_p": 0.8}])
def test_a_photo_has_the_same_captions_alone_and_in_any_batch(more: dict) -> None:
    made_up = MadeUp(2, V=40, sharpness=1.0)
    config = SearchConfig(sample=True, num_captions=3, max_words=8, seed=5, **more)
    together = made_up.search(range(20), config)
    for photo in range(20):
        alone = made_up.search([photo], config, numbers=[photo])
        assert captions(alone, 0) == captions(together, photo)
    half = made_up.search(range(10, 20), config, numbers=range(10, 20))
    assert captions(half, 9) == captions(together, 19)
    assert captions(made_up.search([3], config), 0) != captions(together, 3)


def test_more_samples_and_longer_ones_begin_like_fewer() -> None:
    made_up = MadeUp(2, V=40)
    few = made_up.search([6], SearchConfig(sample=True, num_captions=2, max_words=5))
    many = made_up.search([6], SearchConfig(sample=True, num_captions=6, max_words=9))
    assert len({*captions(many, 0)}) == 6
    for short, long in zip(captions(few, 0), captions(many, 0), strict=False):
        assert short[:-1] == long[: len(short) - 1]


def test_a_seed_decides_and_no_temperature_is_greedy() -> None:
    assert torch.equal(sample(seed=3).words, sample(seed=3).words)
    assert not torch.equal(sample(seed=3).words, sample(seed=4).words)
    assert not torch.equal(sample(seed=3).words, sample(seed=3 + 2**32).words)
    made_up = MadeUp(2)
    config = SearchConfig(sample=True, num_captions=2, temperature=0.0)
    cold, greedy = made_up.search(range(9), config), made_up.search(range(9), SearchConfig(1))
    for place in range(9):
        assert captions(cold, place) == captions(greedy, place) * 2
    torch.testing.assert_close(cold.log_probs[:, 1:], greedy.log_probs)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF, 0xFFFFFFFF), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_random_numbers_are_those_of_the_authors(counter, key, expected: str) -> None:
    """The known answers that come with Random123, the authors' own program."""
    assert " ".join(f"{x:08x}" for x in philox(np.array(counter), key)) == expected


def test_random_numbers_are_spread_evenly_and_are_never_1() -> None:
    numbers = uniforms(7, np.arange(100), 20, 11)
    assert numbers.shape == (100, 20, 11)
    assert numbers.dtype == np.float32
    assert 0 <= numbers.min() < 0.001
    assert 0.999 < numbers.max() < 1
    counts = np.histogram(numbers, bins=50, range=(0, 1))[0]
    assert ((counts - 440) ** 2 / 440).sum() < 90  # chi-square, 49 degrees: 0.02 % are above
    assert len(np.unique(numbers)) > 0.99 * numbers.size
    part = uniforms(7, np.arange(40, 50), 3, 6)
    assert part.tolist() == numbers[40:50, :3, :6].tolist()
    far = uniforms(7, np.array([5, 5 + 2**32]), 1, 4)
    assert far[0].tolist() != far[1].tolist()
