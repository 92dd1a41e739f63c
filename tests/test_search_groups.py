"""Diverse beam search: groups keep apart as much as they are told to."""

import numpy as np
import pytest
from search_oracles import MadeUp, captions, plain_beam_search

from captioner.config import SearchConfig
from captioner.search.candidates import Candidates
from captioner.search.groups import keep_apart


@pytest.mark.parametrize(("beam_size", "groups"), [(2, 2), (4, 2), (6, 3), (5, 5)])
@pytest.mark.parametrize("diversity", [0.3, 2.0])
def test_a_batch_equals_a_plain_search(beam_size: int, groups: int, diversity: float) -> None:
    for V, length_penalty, no_repeat in ((7, 0.0, 1), (8, 1.0, 0), (25, 0.5, 2)):
        made_up = MadeUp(beam_size, V=V, sharpness=1.0)
        config = SearchConfig(
            beam_size,
            num_captions=beam_size,
            max_words=6,
            length_penalty=length_penalty,
            no_repeat=no_repeat,
            groups=groups,
            diversity=diversity,
        )
        found = made_up.search(range(8), config)
        for photo in range(8):
            expected = plain_beam_search(made_up, photo, config)
            assert captions(found, photo) == expected
            for k, caption in enumerate(expected):  # the network's own, nothing taken off
                log_prob = made_up.log_prob(photo, caption)
                assert found.log_probs[photo, k].item() == pytest.approx(log_prob, abs=1e-4)


def test_groups_that_do_not_keep_apart_are_the_same_search_again() -> None:
    made_up = MadeUp(4, V=12)
    alone = made_up.search(range(6), SearchConfig(2, num_captions=2))
    greedy = made_up.search(range(6), SearchConfig(1))
    pairs = made_up.search(range(6), SearchConfig(6, num_captions=6, groups=3, diversity=0.0))
    single = made_up.search(range(6), SearchConfig(3, num_captions=3, groups=3, diversity=0.0))
    for place in range(6):
        assert captions(single, place) == captions(greedy, place) * 3
        expected = [caption for caption in captions(alone, place) for _ in range(3)]
        assert captions(pairs, place) == expected


def test_the_more_they_keep_apart_the_more_captions_differ() -> None:
    made_up = MadeUp(7, V=20, sharpness=1.5)
    different = []
    for diversity in (0.0, 0.5, 5.0):
        config = SearchConfig(4, num_captions=4, max_words=8, groups=4, diversity=diversity)
        found = made_up.search(range(25), config)
        different.append(sum(len({*captions(found, place)}) for place in range(25)))
    assert different[0] == 25
    assert different[0] < different[1] < different[2] == 100


def test_beams_that_have_come_to_nothing_keep_nobody_away() -> None:
    """Of the first group's two beams one has no word to say; 5 merely stands in its place."""
    log_probs = np.array([[[-0.5, -np.inf, -np.inf, -np.inf], [-1.0, -1.1, -1.2, -1.3]]])
    words = np.array([[[4, 5, 0, 0], [5, 4, 6, 7]]])
    best = Candidates(log_probs, np.zeros_like(words), words)
    assert keep_apart(best, 2, 2, diversity=0.25).words[0, 1].tolist() == [5, 6, 7, 4]
