"""Sampled search: words come as often as their chance says, among those that may come."""

import math

import pytest
import torch
from torch import Tensor

from captioner.search import NEVER, State, greedy_search, sample_search
from captioner.vocabulary import END, PAD, START, UNK

CHANCES = torch.tensor([0.05, 0.05, 0.2, 0.1, 0.3, 0.2, 0.1])
"""Of PAD, START, END, UNK and three words: the same at each step."""


def step(words: Tensor, state: State) -> tuple[Tensor, State]:
    return CHANCES.log().expand(len(words), -1), (state[0] + 1,)


def draw(num: int = 20_000, max_words: int = 3, seed: int = 0, **more):
    generator = torch.Generator().manual_seed(seed)
    return sample_search(step, (torch.zeros(num, 1),), max_words, generator=generator, **more)


def shares(words: Tensor) -> list[float]:
    return [(words == word).float().mean().item() for word in range(len(CHANCES))]


def test_words_come_as_often_as_their_chance_says() -> None:
    words = draw().words[:, 0]
    first, second = words[:, 0], words[:, 1]
    # Never PAD, START or UNK; no END at once.
    assert shares(first) == pytest.approx([0, 0, 0, 0, 0.5, 1 / 3, 1 / 6], abs=0.02)
    assert shares(second) == pytest.approx([0, 0, 0.25, 0, 0.375, 0.25, 0.125], abs=0.02)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"temperature": 0.5}, [9 / 14, 4 / 14, 1 / 14]),
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
    assert shares(draw(**more).words[:, 0, 0])[4:] == pytest.approx(expected, abs=0.02)


def test_every_caption_ends_and_log_probs_are_of_the_network() -> None:
    found = draw(200, temperature=0.7)
    for words, log_prob in zip(found.words[:, 0].tolist(), found.log_probs[:, 0], strict=True):
        end = words.index(END)
        assert 1 <= end <= 3
        assert words[end + 1 :] == [PAD] * (len(words) - end - 1)
        assert not {PAD, START, UNK} & set(words[:end])
        expected = sum(math.log(CHANCES[word]) for word in words[: end + 1])
        assert log_prob.item() == pytest.approx(expected, abs=1e-4)


def test_endless_text_has_ends_in_it() -> None:
    words = draw(5000, max_words=6, endless=True).words[:, 0]
    assert words.shape == (5000, 6)
    for place in (0, 5):
        expected = [0, 0, 0.25, 0, 0.375, 0.25, 0.125]
        assert shares(words[:, place]) == pytest.approx(expected, abs=0.03)


def test_a_seed_decides_and_no_temperature_is_greedy() -> None:
    assert torch.equal(draw(50, seed=3).words, draw(50, seed=3).words)
    assert not torch.equal(draw(50, seed=3).words, draw(50, seed=4).words)
    greedy = greedy_search(step, (torch.zeros(4, 1),), 3)
    cold = draw(4, temperature=0.0)
    assert torch.equal(cold.words, greedy.words)
    torch.testing.assert_close(cold.log_probs, greedy.log_probs)


def test_it_goes_on_from_the_last_words() -> None:
    def echo(words: Tensor, state: State) -> tuple[Tensor, State]:
        log_probs = torch.full((len(words), 7), NEVER)
        log_probs[torch.arange(len(words)), words] = 0.0
        return log_probs, state

    last = torch.tensor([4, 6, 5])
    found = sample_search(echo, (torch.zeros(3, 1),), 2, words=last, endless=True)
    assert found.words[:, 0].tolist() == [[4, 4], [6, 6], [5, 5]]


@pytest.mark.parametrize("more", [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0},
                                  {"top_p": 1.5}])  # fmt: skip
def test_settings_that_make_no_sense(more: dict) -> None:
    with pytest.raises(ValueError, match="temperature and top_k"):
        draw(2, **more)
