"""Search over made-up step functions: an exhaustive search is the oracle."""

from itertools import product

import pytest
import torch
from torch import Tensor

from captioner.search import Found, State, beam_search, greedy_search
from captioner.vocabulary import END, PAD, START, UNK

V = 7
MAX_WORDS = 3


def random_step(seed: int, sharpness: float = 2.0):
    """A network whose log-probabilities depend on the whole caption so far.

    The state is one number per row: the photo's, changed by every word.
    """
    table = torch.randn(10007, V, generator=torch.Generator().manual_seed(seed)) * sharpness

    def step(words: Tensor, state: State) -> tuple[Tensor, State]:
        code = (state[0] * 31 + words.unsqueeze(1) + 7) % 10007
        return table[code.squeeze(1)].log_softmax(dim=1), (code,)

    return step


def photos(num: int) -> State:
    return (torch.arange(num).unsqueeze(1) * 101,)


def every_caption(step, photo: int) -> dict[tuple[int, ...], float]:
    """All finished captions and their log-probabilities."""
    found = {}
    for length in range(1, MAX_WORDS + 1):
        for words in product(range(END + 2, V), repeat=length):
            state, last, total = photos(photo + 1), START, 0.0
            state = (state[0][photo:],)
            for word in (*words, END):
                log_probs, state = step(torch.tensor([last]), state)
                total += log_probs[0, word].item()
                last = word
            found[(*words, END)] = total
    return found


def said(found: Found, photo: int, place: int = 0) -> tuple[int, ...]:
    return tuple(word for word in found.words[photo, place].tolist() if word != PAD)


@pytest.mark.parametrize("seed", range(5))
def test_enough_beams_equal_exhaustive_search(seed: int) -> None:
    step = random_step(seed)
    found = beam_search(step, photos(3), beam_size=60, max_words=MAX_WORDS, num_captions=5)
    for photo in range(3):
        truth = every_caption(step, photo)
        ranked = sorted(truth, key=lambda words: truth[words] / len(words), reverse=True)
        assert [said(found, photo, k) for k in range(5)] == ranked[:5]
        for k in range(5):
            assert found.log_probs[photo, k].item() == pytest.approx(truth[ranked[k]], abs=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_one_beam_equals_greedy(seed: int) -> None:
    step = random_step(seed)
    greedy = greedy_search(step, photos(6), max_words=6)
    beam = beam_search(step, photos(6), beam_size=1, max_words=6)
    for photo in range(6):
        assert said(greedy, photo) == said(beam, photo)
    torch.testing.assert_close(greedy.log_probs, beam.log_probs)


@pytest.mark.parametrize("beam_size", [1, 2, 3, 5])
def test_a_batch_equals_its_photos_one_by_one(beam_size: int) -> None:
    step = random_step(3)
    together = beam_search(step, photos(8), beam_size, max_words=6, num_captions=beam_size)
    for photo in range(8):
        state = (photos(8)[0][photo : photo + 1],)
        alone = beam_search(step, state, beam_size, max_words=6, num_captions=beam_size)
        for k in range(beam_size):
            assert said(together, photo, k) == said(alone, 0, k)
        torch.testing.assert_close(together.log_probs[photo], alone.log_probs[0])


@pytest.mark.parametrize("search", [greedy_search, beam_search])
@pytest.mark.parametrize("seed", range(10))
def test_captions_are_finished_and_of_real_words(search, seed: int) -> None:
    found = search(random_step(seed, sharpness=6.0), photos(9), max_words=4)
    for photo in range(9):
        words = said(found, photo)
        assert words[-1] == END
        assert 2 <= len(words) <= 5
        assert not {PAD, START, UNK, END} & set(words[:-1])
        assert torch.isfinite(found.log_probs[photo]).all()


def test_unk_is_never_said_even_if_it_is_likeliest() -> None:
    def step(words: Tensor, state: State) -> tuple[Tensor, State]:
        log_probs = torch.full((len(words), V), -5.0)
        log_probs[:, UNK] = -0.01
        log_probs[:, 5] = -4.0
        return log_probs, state

    for found in (greedy_search(step, photos(2), 3), beam_search(step, photos(2), 2, 3)):
        assert said(found, 0) == (5, 5, 5, END)


def test_the_captions_of_a_photo_differ_and_come_best_first() -> None:
    found = beam_search(random_step(1), photos(5), beam_size=4, max_words=5, num_captions=4)
    for photo in range(5):
        captions = [said(found, photo, k) for k in range(4)]
        assert len(set(captions)) == 4
        means = [found.log_probs[photo, k].item() / len(captions[k]) for k in range(4)]
        assert means == sorted(means, reverse=True)


def test_more_captions_than_the_vocabulary_has() -> None:
    found = beam_search(random_step(0), photos(1), beam_size=10, max_words=1, num_captions=10)
    assert (found.log_probs[0] > float("-inf")).sum() == V - 4


def test_wrong_number_of_captions_is_refused() -> None:
    with pytest.raises(ValueError, match="num_captions"):
        beam_search(random_step(0), photos(1), beam_size=2, num_captions=3)
