"""A language model's second opinion."""

import pytest
import torch

from captioner.config import SearchConfig
from captioner.language import LanguageModel, TextScore
from captioner.model import Caption, Captioner
from captioner.reranking import Reranker

OPINIONS = {"a dog": -3.0, "a cat runs": -8.0, "grass": -2.0}


class Says(LanguageModel):
    """Stands in for a language model: its opinions are known."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.asked: list[str] = []

    def score(self, texts):
        self.asked += texts
        return [TextScore(text, OPINIONS[text], 99, ()) for text in texts]


FOUND = [
    [Caption("a dog", -3.0), Caption("a cat runs", -4.8), Caption("grass", -5.0)],
    [Caption("grass", -1.0)],
]


@pytest.mark.parametrize(
    ("weight", "order"),
    # Per word: dog -1 and -1, cat -1.2 and -2, grass -2.5 and -1, END counted.
    [(0.0, [0, 1, 2]), (2.0, [0, 2, 1]), (-0.5, [1, 0, 2]), (9.0, [0, 2, 1]), (-2.0, [1, 0, 2])],
)
def test_the_order_is_that_of_the_weighted_sum(weight: float, order: list[int]) -> None:
    says = Says()
    assert Reranker(says, weight)(FOUND) == [[FOUND[0][place] for place in order], FOUND[1]]
    assert sorted(says.asked) == sorted(OPINIONS)  # each text is scored once


def test_a_captioner_chooses_among_its_whole_beam(captioner: Captioner) -> None:
    features = torch.randn(3, 5)
    beam = captioner.search(features, SearchConfig(beam_size=4, num_captions=4))
    captioner.rerank = lambda found: [list(reversed(of_photo)) for of_photo in found]
    assert captioner.search(features, SearchConfig(beam_size=4)) == [
        [of_photo[-1]] for of_photo in beam
    ]
    assert captioner.search(features, SearchConfig(beam_size=4, num_captions=2)) == [
        [of_photo[-1], of_photo[-2]] for of_photo in beam
    ]
