"""What goes on inside a language model as it reads: activations, gates, expectations, gradients.

A text is read as in training: START, the tokens (words, or characters) of a line, and for each line
break START again. Where the model's lines stand apart, as captions do, each begins with h0 = 0. The
rows of what is given here are the tokens of the text in their order, a line break among them as
"\\n"; the state after the first START, before any token, is left out.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from captioner.cells import State, from_torch, to_torch
from captioner.errors import InputError
from captioner.language import LanguageModel
from captioner.reference import from_torch as weights_from_torch
from captioner.reference import gru_gates, lstm_gates
from captioner.reference.stacks import deep_forward
from captioner.vocabulary import END, START

GATES = {"gru": gru_gates, "lstm": lstm_gates}
"""The cells that have gates, and what finds them in the cache of a forward pass."""
POSITIONS = 32
"""Places of a text, at most, over which the norm of a gradient is averaged."""


class Expected(NamedTuple):
    """What a model expected at one step, and what came."""

    came: str
    """The token, spelled as in the text; "\\n" where the line ended."""
    likeliest: list[tuple[str, float]]
    """The likeliest tokens with their probabilities, the best first."""
    probability: float
    """Of what came; where the model does not know it, of UNK."""


def activations(
    model: LanguageModel, text: str, layer: int = -1
) -> tuple[list[str], Float[np.ndarray, "T H"]]:
    """The hidden state after each token.

    Args:
        model: Any language model.
        text: What it reads.
        layer: Which of the cells that stand on top of each other; 0 is the lowest, -1 the highest.

    Returns:
        The tokens, and h_t after each of them, every unit between -1 and 1.

    Raises:
        InputError: if there is nothing to read.
    """
    h = [state[0][0, layer] for state in _states(model, text)]
    return _came(model, text)[:-1], torch.stack(h[1:]).cpu().numpy()


def busiest_units(h: Float[np.ndarray, "T H"], num: int) -> list[int]:
    """The units that change most over a text: those of the largest variance, the first one first.

    >>> busiest_units(np.array([[0.0, 0.9, 0.2], [0.5, 0.9, -0.9]]), 2)
    [2, 0]
    """
    return np.argsort(-h.var(axis=0), kind="stable")[:num].tolist()


def gates(model: LanguageModel, text: str, layer: int = -1) -> dict[str, Float[np.ndarray, "T H"]]:
    """What the gates did at each token, computed anew by the cells of `captioner.reference`.

    Torch's own cells keep their gates to themselves; with the same weights the cells in NumPy give
    the same hidden states, and show their gates.

    Args:
        model: A language model with a GRU or an LSTM.
        text: What it reads.
        layer: As in `activations`.

    Returns:
        LSTM: "input", "forget", "output" (0 to 1), "candidate" (-1 to 1) and "memory" (unbounded).
        GRU: "reset", "update" (0 to 1) and "candidate" (-1 to 1).

    Raises:
        InputError: if the cell has no gates, or there is nothing to read.
    """
    config = model.config.decoder
    if config.cell not in GATES:
        raise InputError("an rnn has no gates; train a model with --cell gru or --cell lstm")
    embed = _array(model.decoder.embed.weight)
    weights = [
        weights_from_torch(config.cell, *map(_array, of_layer))
        for of_layer in model.decoder.cell.all_weights
    ]
    h0 = [np.zeros((1, config.hidden))] * config.layers
    found = []
    for inputs, _ in _pieces(model, text):
        _, caches = deep_forward(config.cell, embed[inputs][np.newaxis], h0, weights)
        found.append(GATES[config.cell](caches[layer]))  # type: ignore[operator]
    return {name: np.concatenate([part[name][0] for part in found])[1:] for name in found[0]}


@torch.inference_mode()
def next_words(model: LanguageModel, text: str, k: int = 5) -> list[Expected]:
    """What the model expects at each step, before the token comes.

    There is one step more than the text has tokens, as the end of the last line is expected too.
    The logarithms of the probabilities of what came sum up to `LanguageModel.score` of a line.

    Args:
        model: Any language model.
        text: What it reads.
        k: How many of the likeliest to tell.

    Raises:
        InputError: if there is nothing to read.
    """
    spelled = [*model.vocabulary.words]
    spelled[END] = "\n"
    targets = [target for piece in _pieces(model, text) for target in piece[1]]
    found = []
    for came, target, state in zip(_came(model, text), targets, _states(model, text), strict=True):
        chances = _log_probs(model, state)[0].exp()  # (V)
        best, words = chances.topk(min(k, len(spelled)))
        likeliest = zip((spelled[word] for word in words.tolist()), best.tolist(), strict=True)
        found.append(Expected(came, list(likeliest), chances[target].item()))
    return found


@torch.enable_grad()
def gradient_by_distance(model: LanguageModel, text: str) -> Float[np.ndarray, " K"]:
    """How strongly what is expected now depends on the state k steps ago.

        distance[k] = mean over t of || d log P(token_{t+1} | tokens before it) / d state_{t-k} ||

    with state = h, and for the LSTM h and c together, both of which go on to the next step; of all
    layers. The distances reach half the way through the longest piece that is read at one go, so
    that each is averaged over the same places t: `POSITIONS` of them at most, evenly chosen among
    those that have so long a past. `captioner.reference.gradient_by_distance` does the same for a
    cell alone (Bengio et al. 1994; Pascanu et al. 2013, arXiv:1211.5063).

    Args:
        model: Any language model.
        text: What it reads; a longer one looks further back.

    Returns:
        The norms for k = 0, 1, ..., K-1 steps of distance.

    Raises:
        InputError: if there is nothing to read.
    """
    pieces = _pieces(model, text)
    K = (max(len(inputs) for inputs, _ in pieces) + 1) // 2
    inputs, targets = ([word for piece in pieces for word in piece[side]] for side in (0, 1))
    past = [t for piece in pieces for t in range(len(piece[0]))]  # steps since h0, for each input
    places = [t for t, steps in enumerate(past) if steps >= K - 1]
    places = places[:: math.ceil(len(places) / POSITIONS)]
    read = _states(model, text)

    # The P places are rows of one batch: each begins K - 1 steps before its place.
    first = [torch.cat(parts) for parts in zip(*(read[t - K + 1] for t in places), strict=True)]
    states: list[State] = [tuple(part.requires_grad_() for part in first)]  # (P, layers, H) each
    words = torch.tensor([inputs[t - K + 2 : t + 1] for t in places], device=model.device).long()
    came = torch.tensor([[targets[t]] for t in places], device=model.device)  # (P, 1)
    # cuDNN goes back only through networks that are being trained.
    with torch.backends.cudnn.flags(enabled=False):
        for step in words.unbind(dim=1):
            # The next step reads h and c as two variables, though h was made of c.
            states.append(tuple(part.clone() for part in _read(model, step, states[-1])))
        gradients = torch.autograd.grad(
            _log_probs(model, states[-1]).gather(1, came).sum(),
            [part for state in reversed(states) for part in state],
            materialize_grads=True,  # no score looks at the last memory
        )
    each = torch.stack(gradients).unflatten(0, (K, -1))  # (K, h and c, P, layers, H)
    return each.double().square().sum(dim=(1, 3, 4)).sqrt().mean(dim=1).cpu().numpy()


@torch.inference_mode()
def _states(model: LanguageModel, text: str) -> list[State]:
    """The state after each input."""
    states = []
    for inputs, _ in _pieces(model, text):
        state = model.decoder.empty_state(1)
        for word in inputs:
            state = _read(model, torch.tensor([word], device=model.device), state)
            states.append(state)
    return states


def _read(model: LanguageModel, words: Int[Tensor, " N"], state: State) -> State:
    """The state after one word more."""
    x = model.decoder.embed(words).unsqueeze(1)  # (N, 1, E)
    return from_torch(model.decoder.cell(x, to_torch(state))[1])


def _log_probs(model: LanguageModel, state: State) -> Float[Tensor, "N V"]:
    """Of what comes next, by the hidden state of the highest layer."""
    return model.decoder.score(state[0][:, -1]).log_softmax(dim=1)


def _pieces(model: LanguageModel, text: str) -> list[tuple[list[int], list[int]]]:
    """Inputs and targets of all that is read at one go: the whole text, or each line."""
    lines = [model.vocabulary.indices(line) for line in _lines(model, text)]
    pieces = [([START, *line], [*line, END]) for line in lines]
    if not model.config.running:
        return pieces
    return [([i for piece in pieces for i in piece[0]], [i for piece in pieces for i in piece[1]])]


def _came(model: LanguageModel, text: str) -> list[str]:
    """All tokens, each line with its end."""
    return [token for line in _lines(model, text) for token in (*line, "\n")]


def _lines(model: LanguageModel, text: str) -> list[list[str]]:
    lines = [model.vocabulary.split(line) for line in text.split("\n")]
    if not any(lines):
        unit = {"word": "word", "char": "character"}[model.vocabulary.unit]
        raise InputError(f"nothing to read: there is no {unit} in the text; give a longer one")
    return lines


def _array(weight: Tensor) -> np.ndarray:
    return weight.detach().double().cpu().numpy()
