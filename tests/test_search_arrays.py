"""The same search on torch tensors and NumPy arrays, on any device, in any precision."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from search_oracles import MadeUp, captions, plain_beam_search

from captioner.config import SearchConfig
from captioner.search import search
from captioner.search.arrays import topk
from captioner.search.candidates import best_words
from captioner.vocabulary import PAD

CONFIGS: dict[str, tuple[SearchConfig, dict]] = {
    "greedy": (SearchConfig(1), {}),
    "beams": (SearchConfig(4, num_captions=4, no_repeat=2, min_words=4), {"must_not": [7, 9]}),
    "must": (SearchConfig(2, num_captions=2, max_words=7), {"must": [6, 11, 600]}),
    "groups": (SearchConfig(6, num_captions=6, groups=3, max_words=7), {}),
    "sampled": (SearchConfig(sample=True, num_captions=3, temperature=0.7), {}),
    "top_k": (SearchConfig(sample=True, top_k=9, no_repeat=1), {"must_not": [5]}),
    "top_p": (SearchConfig(sample=True, num_captions=2, top_p=0.8, seed=9), {}),
    "nearly all": (SearchConfig(sample=True, top_p=0.999), {}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_numpy_finds_what_torch_finds(name: str) -> None:
    config, words = CONFIGS[name]
    of_torch = MadeUp(3, V=700, sharpness=3.0).search(range(9), config, **words)
    of_numpy = MadeUp(3, V=700, sharpness=3.0, of=np.asarray).search(range(9), config, **words)
    assert isinstance(of_torch.words, torch.Tensor)
    assert isinstance(of_numpy.words, np.ndarray)
    assert of_torch.words.tolist() == of_numpy.words.tolist()
    assert of_numpy.log_probs == pytest.approx(of_torch.log_probs.numpy(), abs=1e-5)


@pytest.mark.parametrize("name", ["beams", "must", "groups"])
def test_a_large_vocabulary_equals_a_plain_search(name: str) -> None:
    config, words = CONFIGS[name]
    config = replace(config, max_words=4)
    made_up = MadeUp(5, V=700)
    found = made_up.search(range(4), config, **words)
    for photo in range(4):
        assert captions(found, photo) == plain_beam_search(made_up, photo, config, **words)


@pytest.mark.parametrize("V", [4, 127, 128, 511, 512, 513, 700, 2504])
@pytest.mark.parametrize("of", [torch.from_numpy, np.asarray])
def test_the_best_words_are_those_of_a_sort(V: int, of) -> None:
    random = np.random.default_rng(V)
    for B, count in ((1, 1), (1, 6), (3, 6), (5, 10), (2, 70), (3, 400)):
        log_probs = random.normal(size=(16, B, V)).astype(np.float32)
        log_probs[:, :, PAD] = -np.inf
        totals = random.normal(size=(16, B)).astype(np.float32)
        sums = (log_probs + totals[:, :, None]).reshape(16, B * V)
        order = np.argsort(-sums, axis=1)[:, :count]
        best = best_words(of(log_probs), of(totals), count)
        there = np.take_along_axis(sums, order, axis=1) > -np.inf
        num = order.shape[1]
        values, rows, words = (np.asarray(part)[:, :num][there] for part in best)
        assert values == pytest.approx(np.take_along_axis(sums, order, axis=1)[there])
        assert (rows * V + words).tolist() == order[there].tolist()
        assert all(part.shape == (16, count) for part in best)
        assert np.isneginf(np.asarray(best.log_probs)[:, B * (V - 1) :]).all()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_topk_of_numpy_is_that_of_torch(count: int) -> None:
    array = np.random.default_rng(0).normal(size=(3, 4, 7))
    values, places = topk(array, count)
    expected = torch.from_numpy(array).topk(count)
    assert values.tolist() == expected.values.tolist()
    assert places.tolist() == expected.indices.tolist()


@pytest.mark.parametrize("config", [SearchConfig(3, num_captions=3), SearchConfig(sample=True)])
@pytest.mark.parametrize("of", [torch.from_numpy, np.asarray])
def test_the_precision_is_that_of_the_network(config: SearchConfig, of) -> None:
    made_up = MadeUp(0, of=of)
    found = made_up.search(range(4), config)
    assert str(found.log_probs.dtype).endswith("float32")
    made_up.shared = of(made_up.table.astype(np.float64))
    double = made_up.search(range(4), config)
    assert str(double.log_probs.dtype).endswith("float64")
    assert captions(double, 3) == captions(found, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", CONFIGS)
def test_all_work_stays_on_the_device(name: str) -> None:
    config, words = CONFIGS[name]
    here = MadeUp(3, V=700, sharpness=3.0).search(range(9), config, **words)
    made_up = MadeUp(3, V=700, sharpness=3.0, of=lambda array: torch.from_numpy(array).cuda())
    there = made_up.search(range(9), config, **words)
    assert there.words.is_cuda
    assert there.log_probs.is_cuda
    assert there.words.tolist() == here.words.tolist()
    torch.testing.assert_close(there.log_probs.cpu(), here.log_probs)


def test_words_found_can_be_learnt_from() -> None:
    """As self-critical training does: the gradient of their log-probability."""
    found = MadeUp(1).search(range(3), SearchConfig(sample=True, num_captions=2))
    embed = torch.nn.Embedding(7, 2)
    embed(found.words).sum().backward()
    assert embed.weight.grad.sum().item() == found.words.numel() * 2
    assert not found.words.is_inference()


def test_a_network_is_not_differentiated() -> None:
    weight = torch.ones(1, requires_grad=True)
    made_up, seen = MadeUp(1), []

    def step(words, state, memory):
        log_probs, state = made_up.step(words, state, memory)
        seen.append((log_probs * weight).requires_grad)
        return log_probs, state

    search(step, *made_up.photos([1]))
    assert seen
    assert not any(seen)


def test_captions_are_searched_without_torch() -> None:
    program = """
import sys
import numpy as np
from captioner.config import SearchConfig
from captioner.search import search
def step(words, state, memory):
    return np.log(np.tile([0.1, 0.1, 0.3, 0.1, 0.4], (len(words), 1))), state
for config in (SearchConfig(2), SearchConfig(sample=True)):
    assert search(step, (np.zeros((2, 1)),), (), config).words.shape[:2] == (2, 1)
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
