"""An ensemble against averaging by hand."""

import numpy as np
import pytest
import torch
from search_oracles import MadeUp, captions

from captioner.config import SearchConfig
from captioner.search import joint_step, search


def members(numbers: range, *made_up: MadeUp):
    return [(one.step, *one.photos(numbers)) for one in made_up]


def averaged(of=torch.from_numpy) -> tuple[MadeUp, MadeUp, MadeUp]:
    """Two networks, and one that is the mean of both, the second counting three times as much."""
    one, other, mean = (MadeUp(seed, V=9, of=of) for seed in range(3))
    table = np.log(0.25 * np.exp(one.table) + 0.75 * np.exp(other.table))
    mean.table[:] = table
    return one, other, mean


@pytest.mark.parametrize("of", [torch.from_numpy, np.asarray])
@pytest.mark.parametrize(
    "config", [SearchConfig(1), SearchConfig(3, num_captions=3), SearchConfig(sample=True)]
)
def test_an_ensemble_says_what_the_mean_of_its_networks_says(config: SearchConfig, of) -> None:
    one, other, mean = averaged(of)
    joined = joint_step(members(range(7), one, other), weights=[1.0, 3.0])
    found, expected = search(*joined, config), mean.search(range(7), config)
    for place in range(7):
        assert captions(found, place) == captions(expected, place)
        assert found.log_probs[place].tolist() == pytest.approx(
            expected.log_probs[place].tolist(), abs=1e-4
        )


def test_each_network_has_its_own_state_and_memory() -> None:
    """Three parts of state, of which one network takes one and another takes two."""

    def counting(words, state, memory):
        return torch.zeros(len(words), 5) + state[0] + memory[0], (state[0] + 1,)

    def adding(words, state, memory):
        return torch.zeros(len(words), 5) + state[0], (state[0] + state[1], state[1])

    step, state, memory = joint_step(
        [
            (counting, (torch.zeros(2, 1),), (torch.ones(2, 1),)),
            (adding, (torch.zeros(2, 1), torch.full((2, 1), 5.0)), ()),
        ]
    )
    assert (len(state), len(memory)) == (3, 1)
    for _ in range(2):
        log_probs, state = step(torch.tensor([1, 1]), state, memory)
    assert [part[0].item() for part in state] == [2, 10, 5]
    # Before the second word one says 1 + 1, the other 5.
    torch.testing.assert_close(log_probs.exp(), torch.full((2, 5), (np.e**2 + np.e**5) / 2))


def test_one_network_is_an_ensemble_too() -> None:
    made_up = MadeUp(3)
    found = search(*joint_step(members(range(4), made_up)), SearchConfig(2))
    assert found.words.tolist() == made_up.search(range(4), SearchConfig(2)).words.tolist()


def test_the_least_chances_are_kept() -> None:
    """exp(-300) is nought in 32 bits, and what is impossible stays so."""
    table = np.array([[-300.0, -np.inf, 0.0]], dtype=np.float32)
    both = [(lambda words, state, memory: (table, state), (), ())] * 2
    step, _, _ = joint_step(both)
    assert step(np.array([1]), (), ())[0].tolist() == [[-300.0, -np.inf, 0.0]]


@pytest.mark.parametrize("weights", [[], [1.0], [1.0, 0.0], [1.0, -1.0], [1.0, 1.0, 1.0]])
def test_weights_that_make_no_sense(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="a weight above 0 for each"):
        joint_step(members(range(2), MadeUp(0), MadeUp(1)), weights)


def test_an_ensemble_of_nothing() -> None:
    with pytest.raises(ValueError, match="needs networks"):
        joint_step([])
